import { STORE_DIR } from "../../store/store-path.js";
import { html, type Markup } from "./html.js";
import { page } from "./layout.js";
import { textOf } from "./text-of.js";

/** For who looks for what is not there: `segments` below the store folder. */
export function absentPage(segments: readonly Uint8Array[]): Markup {
  const place = [STORE_DIR, ...segments.map(textOf)].join("/");
  return page(
    "Nothing is here",
    html`<h1>Nothing is here</h1>
<p><code>${place}</code> is not in this store.</p>
<p><a href="/browse/">All store paths</a></p>`,
  );
}
