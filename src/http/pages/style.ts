/** The look of all pages. Whatever is told by a color is told in words as well. */
export const STYLE = `
:root {
  color-scheme: light dark;
  --page: #fcfcfa; --raised: #f2f3f1; --line: #d9dcdf;
  --text: #1c2024; --quiet: #59616a; --link: #0a569e; --seen: #6a3d9c;
}
@media (prefers-color-scheme: dark) {
  :root {
    --page: #15181b; --raised: #1e2226; --line: #353b42;
    --text: #e3e6e9; --quiet: #9ba5af; --link: #80b9f4; --seen: #c5a9f1;
  }
}
* { box-sizing: border-box; }
body {
  max-width: 64rem; margin: 0 auto; padding: 0 1rem 3rem;
  background: var(--page); color: var(--text); font: 16px/1.5 system-ui, sans-serif;
}
a { color: var(--link); text-underline-offset: 0.15em; text-decoration-thickness: 1px; }
a:visited { color: var(--seen); }
.paths a { text-decoration: none; }
a:hover { text-decoration: underline 2px; }
:focus-visible { outline: 2px solid var(--link); outline-offset: 2px; border-radius: 2px; }

header { display: flex; flex-wrap: wrap; gap: 0.5rem 1.5rem; align-items: center; padding: 0.8rem 0; }
header { border-bottom: 1px solid var(--line); }
header nav { display: flex; gap: 1.2rem; }
header a, header a:visited { color: var(--text); }
header a:first-child { font-weight: 700; text-decoration: none; }
form { display: flex; flex: 1 1 16rem; gap: 0.5rem; max-width: 26rem; margin-left: auto; }
input { flex: 1; min-width: 0; }
input, button {
  font: inherit; padding: 0.2rem 0.6rem; color: inherit; background: var(--raised);
  border: 1px solid var(--quiet); border-radius: 4px;
}
input::placeholder { color: var(--quiet); opacity: 1; }
button { cursor: pointer; }

h1 { font-size: 1.5rem; line-height: 1.3; margin: 1.5rem 0 0.5rem; overflow-wrap: anywhere; }
h2 { font-size: 1.1rem; margin: 2.2rem 0 0.6rem; }
pre, code, table, dd, .place, .paths { font-family: ui-monospace, monospace; font-size: 0.875rem; }
pre {
  overflow-x: auto; margin: 0.6rem 0; padding: 0.8rem 1rem; line-height: 1.45;
  background: var(--raised); border: 1px solid var(--line); border-radius: 4px;
}
pre.lines { white-space: pre-wrap; overflow-wrap: anywhere; }
code, li { overflow-wrap: anywhere; }
bdi { white-space: break-spaces; }
.note, .hash { color: var(--quiet); }
.place { margin: 1.5rem 0 -1.2rem; color: var(--quiet); overflow-wrap: anywhere; }

table { border-collapse: collapse; width: 100%; }
td, th { text-align: left; vertical-align: top; padding: 0.25rem 1.2rem 0.25rem 0; }
td { border-top: 1px solid var(--line); overflow-wrap: anywhere; }
th { font-weight: 400; color: var(--quiet); white-space: nowrap; }
td:last-child, th:last-child { padding-right: 0; }
tbody tr:hover { background: var(--raised); }
.number { text-align: right; white-space: nowrap; }
.folder { width: auto; min-width: min(100%, 40rem); }
.unit { display: none; }
ul.paths { list-style: none; padding: 0; margin: 0; }
ul.paths li { padding: 0.15rem 0; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: 0.4rem 1.5rem; margin: 0; }
dt { color: var(--quiet); font-size: 0.875rem; }
dd { margin: 0; word-break: break-all; }
.pager { display: flex; gap: 1.5rem; margin-top: 1rem; }

@media (max-width: 42rem) {
  form { max-width: none; }
  dl { grid-template-columns: 1fr; gap: 0; }
  dd { margin-bottom: 0.5rem; }
  table.paths thead { display: none; }
  table.paths tr { display: flex; flex-wrap: wrap; gap: 0 1.2rem; padding: 0.35rem 0; border-top: 1px solid var(--line); }
  table.paths td { padding: 0; border: 0; color: var(--quiet); }
  table.paths td:first-child { flex: 0 0 100%; }
  .unit { display: inline; }
  .paths .hash { display: block; }
}
`;
