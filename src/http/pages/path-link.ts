import type { StorePath } from "../../store/store-path.js";
import { html, type Markup } from "./html.js";
import { browseLink } from "./links.js";

/** `<hash>-<name>` as a link, in which the name is what meets the eye. */
export function pathLink(storePath: StorePath): Markup {
  return html`<a href="${browseLink(storePath)}">${pathName(storePath)}</a>`;
}

export function pathName({ basename, name }: StorePath): Markup {
  return html`<span class="hash">${basename.slice(0, -name.length)}</span><wbr>${name}`;
}
