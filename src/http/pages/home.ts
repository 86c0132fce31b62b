import type { PublicKey } from "../../store/signature/public-key.js";
import { html, type Markup } from "./html.js";
import { page } from "./layout.js";

/** What somebody needs who comes here for the first time. */
export function homePage(origin: string, publicKeys: readonly PublicKey[]): Markup {
  const keys = publicKeys.map(String).join(" ");
  const lines = [
    `extra-substituters = ${origin}`,
    ...(keys === "" ? [] : [`extra-trusted-public-keys = ${keys}`]),
  ];
  const note =
    keys === ""
      ? html`<p class="note">This server signs nothing itself: trust the keys of those who built what it has, or
content-addressed paths, which need none.</p>`
      : html``;
  return page(
    "A binary cache for Nix",
    html`<p>To let Nix fetch from here, put this into <code>/etc/nix/nix.conf</code>:</p>
<pre>${lines.join("\n")}</pre>
${note}
<p>To copy a path by hand:</p>
<pre>nix copy --from ${origin} /nix/store/…</pre>
<p><a href="/browse/">See what is here</a>.</p>`,
  );
}
