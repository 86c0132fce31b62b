import type { PublicKey } from "../../store/signature/public-key.js";
import { html, type Markup } from "./html.js";
import { page } from "./layout.js";

export interface Terms {
  /** The keys that vouch for what is served. */
  readonly publicKeys: readonly PublicKey[];
  readonly takesUploads: boolean;
  /** Whether every request takes a token. */
  readonly asksForToken: boolean;
}

/** What somebody needs who comes here, to `origin`, for the first time. */
export function homePage(origin: string, terms: Terms): Markup {
  const keys = terms.publicKeys.map(String);
  const conf = [
    `extra-substituters = ${origin}`,
    ...(keys.length === 0 ? [] : [`extra-trusted-public-keys = ${keys.join(" ")}`]),
  ];
  const settings = [
    "nix.settings = {",
    `  substituters = [ "${origin}" ];`,
    ...(keys.length === 0 ? [] : [`  trusted-public-keys = [ "${keys.join('" "')}" ];`]),
    "};",
  ];
  return page(
    "A binary cache for Nix",
    html`<h1>A binary cache for Nix</h1>
<p>To let Nix fetch from here, put this into <code>/etc/nix/nix.conf</code>:</p>
${lines(...conf)}
<p>On NixOS, into <code>configuration.nix</code>:</p>
${lines(...settings)}
${keys.length === 0 ? UNSIGNED : html``}
${terms.asksForToken ? netrc(origin) : html``}
<h2>By hand</h2>
<p>To copy a store path from here, with all it refers to:</p>
${lines(`nix copy --from ${origin} /nix/store/…`)}
${terms.takesUploads ? upload(origin) : html``}
<p><a href="/browse/">See what is here</a></p>`,
  );
}

const UNSIGNED = html`<p class="note">This server signs nothing itself: trust the keys of those who built what it has, or
content-addressed paths, which need none.</p>`;

function netrc(origin: string): Markup {
  // Not by URL, which throws: nothing but its characters is known of what the client calls us.
  const host = origin.replace(/^https?:\/\//, "").replace(/:\d+$/, "");
  return html`<p>This server asks for a token. Nix finds yours in <code>/etc/nix/netrc</code>:</p>
${lines(`machine ${host} login nix password TOKEN`)}`;
}

function upload(origin: string): Markup {
  return html`<p>To copy one to here:</p>
${lines(`nix copy --to ${origin} ./result`)}`;
}

function lines(...text: readonly string[]): Markup {
  return html`<pre class="lines">${text.join("\n")}</pre>`;
}
