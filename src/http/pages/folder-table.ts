import { readableSize } from "../../base/readable-size.js";
import type { Directory } from "../../castore/directory.js";
import type { Node } from "../../castore/node.js";
import type { StorePath } from "../../store/store-path.js";
import { counted } from "./counted.js";
import { html, type Markup } from "./html.js";
import { browseLink } from "./links.js";
import { Paging } from "./paging.js";
import { textOf } from "./text-of.js";

const ROWS_MAX = 2_000;

/** A directory from entry number `from` on. */
export interface Folder {
  readonly directory: Directory;
  readonly from: number;
}

/** What is in the directory at `below` in a store path. */
export function folderTable(
  storePath: StorePath,
  below: readonly Uint8Array[],
  { directory, from }: Folder,
): Markup {
  if (directory.count === 0) return html`<p class="note">This folder is empty.</p>`;
  const paging = new Paging(directory.count, ROWS_MAX, from);
  const rows: Markup[] = [];
  for (let index = paging.start; index < paging.end; index++) {
    const name = directory.name(index);
    const node = directory.node(index);
    const href = browseLink(storePath, [...below, name]);
    rows.push(html`<tr><td><a href="${href}"><bdi>${textOf(name)}</bdi></a>${suffixOf(node)}</td>
<td class="note">${kindOf(node)}</td><td class="number">${sizeOf(node)}</td></tr>
`);
  }
  return html`<table class="folder">
<thead><tr><th>name</th><th>kind</th><th class="number">size</th></tr></thead>
<tbody>
${rows}</tbody></table>
${paging.links((row) => `${browseLink(storePath, below)}?from=${row}`)}`;
}

function suffixOf(node: Node): Markup {
  if (node.type === "directory") return html`/`;
  if (node.type === "symlink") return html` → <bdi>${textOf(node.target)}</bdi>`;
  return html``;
}

function kindOf(node: Node): string {
  if (node.type === "directory") return "folder";
  return node.type === "file" && node.executable ? "executable" : node.type;
}

function sizeOf(node: Node): string {
  if (node.type === "directory") return counted(node.size, "entry", "entries");
  return node.type === "file" ? readableSize(node.size) : "";
}
