import { readableSize } from "../../base/readable-size.js";
import type { Snapshot } from "./catalogue.js";
import { html, type Markup } from "./html.js";
import { page } from "./layout.js";
import { browseLink } from "./links.js";

const ROWS_MAX = 200;

/** Store paths, those that contain `search`, from number `offset` on. */
export function listPage(snapshot: Snapshot, search: string, offset: number): Markup {
  const found = snapshot.search(search);
  const shown = found.slice(offset, offset + ROWS_MAX);
  const linkTo = (start: number, label: string) =>
    html`<a href="/browse/?q=${encodeURIComponent(search)}&amp;from=${start}">${label}</a> `;
  const rows = shown.map(
    ({ storePath, narSize, references }) => html`<tr>
<td><a href="${browseLink(storePath)}">${storePath.basename}</a></td>
<td class="number">${readableSize(narSize)}</td>
<td class="number">${references.length}</td>
<td class="number">${snapshot.referrersOf(storePath).length}</td></tr>
`,
  );
  const more = [
    ...(offset > 0 ? [linkTo(Math.max(offset - ROWS_MAX, 0), "before")] : []),
    ...(offset + ROWS_MAX < found.length ? [linkTo(offset + ROWS_MAX, "after")] : []),
  ];
  const limit = snapshot.isWhole
    ? html``
    : html`<p class="note">There are more store paths than can be listed here.</p>`;
  return page(
    "Store paths",
    html`<form action="/browse/" method="get">
<input type="search" name="q" value="${search}" aria-label="Search" placeholder="part of a name or hash">
<button>Search</button></form>
<p class="note">${found.length} of ${snapshot.entries.length} store paths</p>
<table><tr><th>path</th><th class="number">NAR size</th><th class="number">references</th>
<th class="number">referrers</th></tr>
${rows}</table>
<p>${more}</p>${limit}`,
  );
}
