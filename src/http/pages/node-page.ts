/**
 * Pages about what is in a store path.
 */
import { readableSize } from "../../base/readable-size.js";
import type { FileNode, SymlinkNode } from "../../castore/node.js";
import type { FoundNode } from "./find-node.js";
import { type Folder, folderTable } from "./folder-table.js";
import { html, type Markup } from "./html.js";
import { page } from "./layout.js";
import { linkedText } from "./linked-text.js";
import { browseLink, browseLinkTo, linkTarget, rawLink } from "./links.js";
import { pathName } from "./path-link.js";
import { aboutPath, type Surroundings, summaryOf } from "./path-sections.js";
import { textOf } from "./text-of.js";

/** The beginning of a file. */
export interface Preview {
  /** `undefined` when it is not text. */
  readonly text: string | undefined;
  readonly isWhole: boolean;
}

export interface NodePageContent {
  /** Of a directory. */
  readonly folder?: Folder | undefined;
  /** Of a file. */
  readonly preview?: Preview | undefined;
  /** Of a whole store path. */
  readonly surroundings?: Surroundings | undefined;
}

/** What there is to see at one place. */
export function nodePage(found: FoundNode, content: NodePageContent): Markup {
  const { pathInfo, below } = found;
  const { storePath } = pathInfo;
  const { surroundings } = content;
  const last = below.at(-1);
  const title = [storePath.basename, ...below.map(textOf)].join("/");
  const body = nodeBody(found, content);
  return page(
    title,
    html`${placeOf(found)}
<h1><bdi>${last === undefined ? storePath.name : textOf(last)}</bdi></h1>
${
  surroundings === undefined
    ? body
    : html`${summaryOf(pathInfo, surroundings)}
<h2>Contents</h2>
${body}${aboutPath(pathInfo, surroundings)}`
}`,
  );
}

/** The whole path, in which every folder is a link. */
function placeOf({ pathInfo: { storePath }, below }: FoundNode): Markup {
  const names = below.map((name, index) => {
    const text = html`<bdi>${textOf(name)}</bdi>`;
    if (index === below.length - 1) return html`/<wbr>${text}`;
    return html`/<wbr><a href="${browseLink(storePath, below.slice(0, index + 1))}">${text}</a>`;
  });
  const root = pathName(storePath);
  const top = below.length === 0 ? root : html`<a href="${browseLink(storePath)}">${root}</a>`;
  return html`<nav class="place" aria-label="Place"><a href="/browse/">/nix/store</a>/<wbr>${top}${names}</nav>`;
}

function nodeBody(found: FoundNode, { folder, preview }: NodePageContent): Markup {
  const { storePath } = found.pathInfo;
  const { node, below } = found;
  switch (node.type) {
    case "directory":
      return folderTable(storePath, below, folder as Folder);
    case "symlink":
      return symlinkBody(found, node);
    case "file":
      return fileBody(node, rawLink(storePath, below), preview as Preview);
  }
}

function symlinkBody({ pathInfo, below }: FoundNode, { target }: SymlinkNode): Markup {
  const way = linkTarget(pathInfo.storePath, below, target);
  const where =
    way === undefined
      ? html`It leads out of the store.`
      : html`<a href="${browseLinkTo(way)}">Follow it</a>`;
  return html`<p>A symlink to <code>${textOf(target)}</code>. ${where}</p>`;
}

function fileBody(
  { executable, size, digest }: FileNode,
  raw: string,
  { text, isWhole }: Preview,
): Markup {
  const kind = executable ? "An executable file" : "A file";
  const shown =
    text === undefined
      ? html`<p class="note">It is not text, so it is not shown here.</p>`
      : // The first newline of a <pre> is not part of it.
        html`<pre tabindex="0">\n${linkedText(text)}</pre>
${isWhole ? html`` : html`<p class="note">This is its beginning.</p>`}`;
  return html`<p>${kind} of ${readableSize(size)}. <a href="${raw}">Open it</a></p>
${text === "" ? html`` : shown}
<p class="note">Its content is <code>${String(digest)}</code>.</p>`;
}
