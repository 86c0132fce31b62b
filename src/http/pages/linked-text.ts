import { STORE_DIR } from "../../store/store-path.js";
import { html, type Markup } from "./html.js";

/** Whether it is valid to the last character is found out by those who follow it. */
const STORE_PATH = new RegExp(
  `${STORE_DIR}/([0-9a-df-np-sv-z]{32}-[0-9a-zA-Z+._?=-]*[0-9a-zA-Z+_=])`,
  "g",
);

/** Text in which each store path leads to its page. */
export function linkedText(text: string): Markup {
  const parts: Markup[] = [];
  let done = 0;
  for (const match of text.matchAll(STORE_PATH)) {
    const href = `/browse/${encodeURIComponent(match[1] as string)}`;
    parts.push(html`${text.slice(done, match.index)}<a href="${href}">${match[0]}</a>`);
    done = match.index + match[0].length;
  }
  return html`${parts}${text.slice(done)}`;
}
