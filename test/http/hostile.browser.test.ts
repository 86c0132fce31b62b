import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { textOf } from "../../src/http/pages/text-of.js";
import type { PathInfo } from "../../src/store/path-info.js";
import { directory, file, symlink } from "../store/support/tree.js";
import { type BrowserWindow, Chromium, chromiumObstacle } from "../support/chromium.js";
import { ServedCache } from "./support/serve-http.js";

if (chromiumObstacle !== undefined) console.warn(`Browser tests skipped: ${chromiumObstacle}`);

/** Whatever of it runs shows itself: by a request, by the title, or by a dialog. */
const ATTACK = "fetch('/ran');document.title='ran';alert('ran')";

const NAMES = [
  `<img src=x onerror="${"document.title='ran'"}">`,
  `"><svg onload=alert('ran')>`,
  "' autofocus onfocus=alert('ran') '",
  "javascript:alert('ran')",
  "<!--",
  "&lt;b&gt;&amp;",
  "%3Cscript%3E",
  "?q=1#fragment",
  "\\..\\..",
  "two\nlines",
  "\u202egnp.exe",
  "\u05d0\u05d1.txt",
  "\x1b[31mred",
  " ",
  "two  spaces",
];

const PAGE = `<!DOCTYPE html><title>innocent</title>
<meta http-equiv="refresh" content="0;url=/ran">
<link rel="stylesheet" href="look.css"><base href="/ran/">
<p>text</p><script>${ATTACK}</script><script src="/nix/store/script.js"></script>
<img src="x:" onerror="${ATTACK}"><body onload="${ATTACK}">
<iframe src="/ran"></iframe><object data="/ran"></object><embed src="/ran">
<form action="/ran" method="post"><button autofocus onfocus="${ATTACK}">send</button></form>`;

const PICTURE = `<svg xmlns="http://www.w3.org/2000/svg" onload="${ATTACK}">
<title>innocent</title><script>${ATTACK}</script>
<foreignObject><iframe xmlns="http://www.w3.org/1999/xhtml" src="/ran"/></foreignObject></svg>`;

/** None of these is on our pages. */
const OF_OTHERS = "main :is(img, svg, script, iframe, form, b, [onload], [onerror], [autofocus])";

const SEEN = `({
  heading: document.querySelector("h1").textContent,
  line: document.querySelector("pre").textContent.split("\\n<script>")[0],
  title: document.querySelector("title").textContent,
  ofOthers: document.querySelectorAll("${OF_OTHERS}").length,
})`;

describe.skipIf(chromiumObstacle !== undefined)("What somebody hostile built, in Chromium:", () => {
  let cache: ServedCache;
  let hostile: PathInfo;
  let chromium: Chromium;
  let window: BrowserWindow;

  beforeAll(async () => {
    [chromium, cache] = await Promise.all([Chromium.start(), ServedCache.start()]);
    window = await chromium.open({ baseURL: `http://127.0.0.1:${cache.port}` });
    const odd = Object.fromEntries(
      NAMES.map((name) => [name, file(`${textOf(Buffer.from(name))}\n<script>${ATTACK}</script>`)]),
    );
    hostile = await cache.add(
      "hostile",
      directory({
        odd: directory(odd),
        links: directory(Object.fromEntries(NAMES.map((name) => [name, symlink(name)]))),
        "page.html": file(PAGE),
        "page.xhtml": file(
          `<html xmlns="http://www.w3.org/1999/xhtml"><head><title>innocent</title></head><body><script>${ATTACK}</script></body></html>`,
        ),
        "picture.svg": file(PICTURE),
        "look.css": file("p { color: rgb(1, 2, 3) }"),
        "code.js": file(ATTACK),
        // Nothing in the name or at the beginning says what it is.
        guess: file(`<html><script>${ATTACK}</script>`),
      }),
    );
  }, 180_000);

  afterAll(() => chromium.close());

  /** What happened since that should not have. */
  const harm = () => [
    ...cache.requests
      .splice(0)
      .filter(({ path, method }) => path.startsWith("/ran") || method !== "GET"),
    ...window.complaints.splice(0).filter((each) => each.includes(": dialog: ")),
  ];

  test("names are shown as what they are, and lead to what they name", async () => {
    const { page, complaints } = window;
    const { basename } = hostile.storePath;
    const shownNames = NAMES.map((name) => textOf(Buffer.from(name)));
    const links = page.getByRole("table").getByRole("link");
    await page.goto(`/browse/${basename}/links`);
    expect(await page.getByRole("cell").allTextContents()).toEqual(
      expect.arrayContaining(shownNames.map((name) => `${name} → ${name}`)),
    );
    await page.goto(`/browse/${basename}/odd`);
    const shown = await links.allTextContents();
    expect(shown.toSorted()).toEqual(shownNames.toSorted());
    const hrefs = await links.evaluateAll((all) => all.map((link) => String(link)));
    for (const [index, href] of hrefs.entries()) {
      await page.goto(href);
      expect(await page.evaluate(SEEN)).toEqual({
        heading: shown[index],
        line: shown[index],
        title: `${basename}/odd/${shown[index]} · tvix-store`,
        ofOthers: 0,
      });
    }
    expect(complaints).toEqual([]);
    expect(harm()).toEqual([]);
  });

  test("what is looked for is shown as what it is", async () => {
    const { page } = window;
    await page.goto("/browse/");
    for (const text of NAMES.slice(0, 3)) {
      await page.getByRole("searchbox").fill(text);
      await page.getByRole("searchbox").press("Enter");
      await page.getByRole("heading", { name: text }).waitFor();
      expect(await page.getByRole("searchbox").inputValue()).toBe(text);
    }
    expect(harm()).toEqual([]);
  });

  test.each([
    ["page.html", "innocent"],
    ["page.xhtml", "innocent"],
    ["picture.svg", "innocent"],
    ["code.js", ""],
    ["guess", ""],
  ])("%s runs nothing, and is not of our origin", async (name, title) => {
    const { page } = window;
    await page.goto(`${hostile.storePath}/${name}`);
    expect(await page.title()).toBe(title);
    expect(await page.evaluate<string>("self.origin")).toBe("null");
    // Its buttons do nothing, its scripts find nobody to run them.
    if (name === "page.html") {
      await page.getByRole("button").click();
      const color = await page.evaluate<string>(
        "getComputedStyle(document.querySelector('p')).color",
      );
      expect(color).toBe("rgb(1, 2, 3)");
    }
    // Whatever it asked for before has been asked for now.
    await page.goto("/");
    expect(harm()).toEqual([]);
  });

  test("their source can be read", async () => {
    const { page } = window;
    await page.goto(`/browse/${hostile.storePath.basename}/page.html`);
    expect(await page.locator("pre").textContent()).toBe(PAGE);
    expect(await page.locator(OF_OTHERS).count()).toBe(0);
    expect(harm()).toEqual([]);
  });
});
