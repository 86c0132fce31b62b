/**
 * What all pages have in common.
 */
import { html, type Markup } from "./html.js";

/** Nothing but our own style sheet and icon is loaded, nothing is run, and nobody frames us. */
export const PAGE_POLICY =
  "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

/** A whole page called `title`, with `search` in its search field. */
export function page(title: string, content: Markup, search = ""): Markup {
  return html`<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${title} · tvix-store</title>
<link rel="icon" href="/icon.svg" type="image/svg+xml">
<link rel="stylesheet" href="/style.css">
</head>
<body>
<header>
<nav aria-label="Pages"><a href="/">tvix-store</a><a href="/browse/">Store paths</a></nav>
<form action="/browse/" method="get" role="search">
<input type="search" name="q" value="${search}" aria-label="Search store paths" placeholder="part of a name or hash">
<button>Search</button>
</form>
</header>
<main>
${content}
</main>
</body>
</html>
`;
}
