/**
 * What all pages have in common.
 */
import { html, type Markup } from "./html.js";

/** Nothing but our own style sheet is loaded, nothing is run, and nobody frames us. */
export const PAGE_POLICY =
  "default-src 'none'; style-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

export const STYLE = `
:root { color-scheme: light dark; }
body { max-width: 62rem; margin: 2rem auto; padding: 0 1rem; font: 16px/1.5 system-ui, sans-serif; }
nav a { margin-right: 1rem; }
h1 { font-size: 1.4rem; overflow-wrap: anywhere; }
h2 { font-size: 1.1rem; margin-top: 2rem; }
pre, code, td, th { font-family: ui-monospace, monospace; font-size: 0.9rem; }
pre { overflow-x: auto; padding: 0.8rem; border: 1px solid #8884; border-radius: 4px; }
table { border-collapse: collapse; width: 100%; }
td, th { text-align: left; padding: 0.15rem 0.8rem 0.15rem 0; overflow-wrap: anywhere; }
td.number, th.number { text-align: right; white-space: nowrap; }
tr:hover { background: #8881; }
input { font: inherit; width: 20rem; max-width: 70%; }
.note { opacity: 0.7; }
`;

/** A whole page called `title`. */
export function page(title: string, content: Markup): Markup {
  return html`<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${title} · tvix-store</title>
<link rel="stylesheet" href="/style.css">
</head>
<body>
<nav><a href="/">tvix-store</a><a href="/browse/">Store paths</a></nav>
<h1>${title}</h1>
${content}
</body>
</html>
`;
}
