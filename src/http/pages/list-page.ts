import { readableSize } from "../../base/readable-size.js";
import type { CatalogueEntry, Snapshot } from "./catalogue.js";
import { counted } from "./counted.js";
import { html, type Markup } from "./html.js";
import { page } from "./layout.js";
import { Paging } from "./paging.js";
import { pathLink } from "./path-link.js";

const ROWS_MAX = 100;

/** Store paths, those that match `search`, from number `from` on. */
export function listPage(snapshot: Snapshot, search: string, from: number): Markup {
  const found = snapshot.search(search);
  const paging = new Paging(found.length, ROWS_MAX, from);
  const title = search === "" ? "Store paths" : `Store paths with “${search}”`;
  const rows = found.slice(paging.start, paging.end).map(({ storePath, narSize, references }) => {
    const referrers = snapshot.referrersOf(storePath).length;
    return html`<tr><td>${pathLink(storePath)}</td>
<td class="number">${readableSize(narSize)}</td>
<td class="number">${withUnit(references.length, "reference")}</td>
<td class="number">${withUnit(referrers, "referrer")}</td></tr>
`;
  });
  const table = html`<table class="paths">
<thead><tr><th>path</th><th class="number">NAR size</th><th class="number">references</th>
<th class="number">referrers</th></tr></thead>
<tbody>
${rows}</tbody></table>
${paging.links((row) => `/browse/?q=${encodeURIComponent(search)}&from=${row}`)}`;
  return page(
    title,
    html`<h1>${title}</h1>
<p class="note">${summary(snapshot, found)}</p>
${rows.length === 0 ? html`` : table}`,
    search,
  );
}

function summary({ entries, isWhole }: Snapshot, found: readonly CatalogueEntry[]): string {
  if (entries.length === 0) return "There are no store paths yet.";
  const all = counted(entries.length, "store path");
  const which = found.length === entries.length ? all : `${found.length} of ${all}`;
  const size = found.reduce((sum, { narSize }) => sum + narSize, 0n);
  const rest = isWhole ? "" : " There are more than can be listed here.";
  return `${which}, ${readableSize(size)} as NARs.${rest}`;
}

/** The unit is shown where there is no room for columns with a title. */
function withUnit(count: number, one: string): Markup {
  const [number = "", unit = ""] = counted(count, one).split(" ");
  return html`${number}<span class="unit"> ${unit}</span>`;
}
