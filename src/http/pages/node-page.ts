/**
 * Pages about what is in a store path.
 */
import { decodeUtf8, quoteBytes } from "../../base/bytes.js";
import { readableSize } from "../../base/readable-size.js";
import type { Directory } from "../../castore/directory.js";
import type { Node } from "../../castore/node.js";
import { formatContentAddress } from "../../store/content-address.js";
import { formatHash } from "../../store/nix-hash.js";
import type { PathInfo } from "../../store/path-info.js";
import { formatSignature } from "../../store/signature/signature-text.js";
import type { StorePath } from "../../store/store-path.js";
import type { FoundNode } from "./find-node.js";
import { html, type Markup } from "./html.js";
import { page } from "./layout.js";
import { browseLink, rawLink } from "./links.js";

const ROWS_MAX = 5_000;

export interface NodePageContent {
  /** Of a directory. */
  readonly directory?: Directory | undefined;
  /** The beginning of a file that is text. */
  readonly text?: string | undefined;
  readonly referrers: readonly StorePath[];
}

/** What there is to see at one place. */
export function nodePage(found: FoundNode, content: NodePageContent): Markup {
  const { pathInfo, node, below } = found;
  const { storePath } = pathInfo;
  const title = [storePath.basename, ...below.map(textOf)].join("/");
  const about = below.length === 0 ? aboutPath(pathInfo, content.referrers) : html``;
  const up =
    below.length === 0
      ? html``
      : html`<p><a href="${browseLink(storePath, below.slice(0, -1))}">up</a></p>`;
  return page(title, html`${up}${aboutNode(found, node, content)}${about}`);
}

function aboutNode({ pathInfo, below }: FoundNode, node: Node, content: NodePageContent): Markup {
  const { storePath } = pathInfo;
  const raw = rawLink(storePath, below);
  switch (node.type) {
    case "directory":
      return directoryTable(storePath, below, content.directory as Directory);
    case "symlink":
      return html`<p>A symlink to <code>${textOf(node.target)}</code>. <a href="${raw}">Follow it</a></p>`;
    case "file": {
      const kind = node.executable ? "An executable file" : "A file";
      const text = content.text === undefined ? html`` : html`<pre>${content.text}</pre>`;
      return html`<p>${kind} of ${readableSize(node.size)}. <a href="${raw}">Open it</a></p>${text}`;
    }
  }
}

function directoryTable(
  storePath: StorePath,
  below: readonly Buffer[],
  directory: Directory,
): Markup {
  const rows: Markup[] = [];
  for (const { name, node } of directory.entries()) {
    if (rows.length === ROWS_MAX) break;
    const place = [...below, name];
    const link = html`<a href="${browseLink(storePath, place)}">${textOf(name)}</a>`;
    rows.push(html`<tr><td>${link}${node.type === "directory" ? "/" : ""}</td>
<td class="number">${node.type === "file" ? readableSize(node.size) : ""}</td>
<td>${describe(node)}</td></tr>
`);
  }
  const more =
    directory.count > ROWS_MAX
      ? html`<p class="note">The first ${ROWS_MAX} of ${directory.count} entries.</p>`
      : html``;
  return html`<table><tr><th>name</th><th class="number">size</th><th></th></tr>
${rows}</table>${more}`;
}

function describe(node: Node): string {
  if (node.type === "symlink") return `→ ${textOf(node.target)}`;
  if (node.type === "directory") return `${node.size} entries`;
  return node.executable ? "executable" : "";
}

function aboutPath(pathInfo: PathInfo, referrers: readonly StorePath[]): Markup {
  const { narSha256, narSize, references, deriver, ca, signatures } = pathInfo;
  const facts: [string, string][] = [
    ["NAR size", `${narSize} bytes`],
    ["NAR hash", formatHash({ algorithm: "sha256", digest: narSha256 })],
    ...(deriver ? ([["deriver", `${deriver.basename}.drv`]] as [string, string][]) : []),
    ...(ca ? ([["content address", formatContentAddress(ca)]] as [string, string][]) : []),
    ...signatures.map((each): [string, string] => ["signature", formatSignature(each)]),
  ];
  const rows = facts.map(([name, value]) => html`<tr><th>${name}</th><td>${value}</td></tr>\n`);
  return html`<h2>About</h2><table>${rows}</table>
<h2>References</h2>${pathList(references)}
<h2>Referrers</h2>${pathList(referrers)}`;
}

function pathList(paths: readonly StorePath[]): Markup {
  if (paths.length === 0) return html`<p class="note">none</p>`;
  const items = paths
    .slice(0, ROWS_MAX)
    .map((path) => html`<li><a href="${browseLink(path)}">${path.basename}</a></li>\n`);
  return html`<ul>${items}</ul>`;
}

/** A name as people can read it; what is not UTF-8 appears quoted. */
export function textOf(bytes: Uint8Array): string {
  return decodeUtf8(bytes) ?? quoteBytes(bytes);
}
