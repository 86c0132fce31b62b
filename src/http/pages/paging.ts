import { html, type Markup } from "./html.js";

/** Which rows of a long table one page shows. */
export class Paging {
  readonly start: number;
  readonly end: number;
  readonly #total: number;
  readonly #rows: number;

  /** The page of at most `rows` of `total` rows that has number `from` in it, else the last one. */
  constructor(total: number, rows: number, from: number) {
    const row = Math.max(Math.min(from, total - 1), 0);
    this.start = row - (row % rows);
    this.end = Math.min(this.start + rows, total);
    this.#total = total;
    this.#rows = rows;
  }

  /** Links to the pages around it, where there are any; `hrefOf` has the address of the page from a row on. */
  links(hrefOf: (from: number) => string): Markup {
    if (this.start === 0 && this.end === this.#total) return html``;
    const before = this.start - this.#rows;
    return html`<nav class="pager" aria-label="More rows">
${before < 0 ? html`` : html`<a rel="prev" href="${hrefOf(before)}">← Previous</a>`}
<span>${this.start + 1}–${this.end} of ${this.#total}</span>
${this.end === this.#total ? html`` : html`<a rel="next" href="${hrefOf(this.end)}">Next →</a>`}
</nav>`;
  }
}
