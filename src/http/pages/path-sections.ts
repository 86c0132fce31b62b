/**
 * What a page says of a store path beside its content.
 */
import { readableSize } from "../../base/readable-size.js";
import type { Node } from "../../castore/node.js";
import { formatContentAddress } from "../../store/content-address.js";
import { formatHash } from "../../store/nix-hash.js";
import type { PathInfo } from "../../store/path-info.js";
import { formatSignature } from "../../store/signature/signature-text.js";
import type { StorePath } from "../../store/store-path.js";
import type { Snapshot } from "./catalogue.js";
import { counted } from "./counted.js";
import { html, type Markup } from "./html.js";
import { pathLink } from "./path-link.js";

const ROWS_MAX = 2_000;

export interface Surroundings {
  /** Where the client thinks we are. */
  readonly origin: string;
  /** Without it, nobody knows who refers to a path. */
  readonly snapshot: Snapshot | undefined;
}

/** One line on top: how large it is, and how many it knows. */
export function summaryOf({ storePath, narSize, references }: PathInfo, all: Surroundings): Markup {
  const closure = all.snapshot?.closureOf(storePath);
  const whole =
    closure === undefined || closure.count === 1
      ? ""
      : `; with all it refers to ${readableSize(closure.narSize)} in ${closure.count} store paths`;
  const referrers = all.snapshot?.referrersOf(storePath);
  const known = [
    html`<a href="#references">${counted(references.length, "reference")}</a>`,
    ...(referrers === undefined
      ? []
      : [html`, <a href="#referrers">${counted(referrers.length, "referrer")}</a>`]),
  ];
  return html`<p>${readableSize(narSize)}${whole}. ${known}</p>`;
}

/** References, referrers, and everything else there is to know. */
export function aboutPath(pathInfo: PathInfo, { snapshot, origin }: Surroundings): Markup {
  const { storePath, narSha256, narSize, node, deriver, ca, signatures } = pathInfo;
  const facts: [string, string][] = [
    ["NAR size", `${narSize} bytes`],
    ["NAR hash", formatHash({ algorithm: "sha256", digest: narSha256 })],
    ["root node", rootText(node)],
    ...(deriver ? ([["deriver", `${deriver}.drv`]] as [string, string][]) : []),
    ...(ca ? ([["content address", formatContentAddress(ca)]] as [string, string][]) : []),
    ...signatures.map((each): [string, string] => ["signature", formatSignature(each)]),
    ["to copy it", `nix copy --from ${origin} ${storePath}`],
  ];
  const rows = facts.map(([name, value]) => html`<dt>${name}</dt><dd>${value}</dd>\n`);
  return html`
<h2 id="references">References</h2>${pathList(pathInfo.references)}
${snapshot === undefined ? html`` : html`<h2 id="referrers">Referrers</h2>${pathList(snapshot.referrersOf(storePath))}`}
<h2>About</h2>
<dl>
${rows}</dl>`;
}

function rootText(node: Node): string {
  if (node.type === "symlink") return "symlink";
  return `${node.type} ${node.digest}`;
}

function pathList(paths: readonly StorePath[]): Markup {
  if (paths.length === 0) return html`<p class="note">none</p>`;
  const items = paths.slice(0, ROWS_MAX).map((path) => html`<li>${pathLink(path)}</li>\n`);
  const more =
    paths.length > ROWS_MAX
      ? html`<p class="note">The first ${ROWS_MAX} of ${paths.length}.</p>`
      : html``;
  return html`<ul class="paths">${items}</ul>${more}`;
}
