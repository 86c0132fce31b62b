import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import type { Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { PathInfo } from "../../src/store/path-info.js";
import { SecretKey } from "../../src/store/signature/secret-key.js";
import { directory, file, symlink } from "../store/support/tree.js";
import { type BrowserWindow, Chromium, chromiumObstacle } from "../support/chromium.js";
import { ServedCache } from "./support/serve-http.js";

if (chromiumObstacle !== undefined) console.warn(`Browser tests skipped: ${chromiumObstacle}`);

const AXE = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const PHONE_WIDTH = 360;
const LONG = "long-".repeat(42);

describe.skipIf(chromiumObstacle !== undefined)("The pages of a binary cache in Chromium", () => {
  let chromium: Chromium;
  let window: BrowserWindow;
  let cache: ServedCache;
  let base: string;
  let bash: PathInfo;
  let hello: PathInfo;
  let script: string;
  /** One page of each kind. */
  let pages: Readonly<Record<string, string>>;

  beforeAll(async () => {
    [chromium, cache] = await Promise.all([
      Chromium.start(),
      ServedCache.start({ secretKey: SecretKey.generate("cache.example.org-1") }),
    ]);
    base = `http://127.0.0.1:${cache.port}`;
    window = await chromium.open({ baseURL: base });
    bash = await cache.add("bash-5.2", directory({ bin: directory({ bash: file("\x7fELF\0") }) }));
    // The first newline is part of it.
    script = `\n#!${bash.storePath}/bin/bash\n${"echo ".repeat(100)}\n`;
    hello = await cache.add(
      "hello-2.12",
      directory({
        bin: directory({ hello: file(script, true), hi: symlink("hello") }),
        share: directory({ [LONG]: file("text\n") }),
        lib: symlink(`${bash.storePath}/bin`),
      }),
      { references: [bash.storePath] },
    );
    await cache.add(LONG, directory({}));
    for (let index = 0; index < 100; index++) await cache.add(`many-${1000 + index}`, file("x"));
    const at = `/browse/${hello.storePath.basename}`;
    pages = {
      "the first page": "/",
      "the end of the list": "/browse/?from=100",
      "a search": "/browse/?q=long",
      "a search in vain": "/browse/?q=nothing+like+it",
      "a store path": at,
      "a folder": `${at}/share`,
      "a file": `${at}/bin/hello`,
      "a symlink": `${at}/bin/hi`,
      "what is not there": `${at}/nothing`,
    };
  }, 180_000);

  afterAll(() => chromium.close());

  test.each([
    ["without JavaScript", false],
    ["with JavaScript", true],
  ])("work %s", async (_title, javaScriptEnabled) => {
    await using window = await chromium.open({ baseURL: base, javaScriptEnabled });
    const { page, complaints } = window;
    const main = page.getByRole("main");
    /** What leads to another page; done when that has arrived as a whole. */
    const arrive = (step: Promise<void>) => Promise.all([page.waitForEvent("load"), step]);
    const follow = (name: string | RegExp) =>
      arrive(page.getByRole("link", { name, exact: true }).click());

    await page.goto("/");
    await follow("Store paths");
    expect(await page.getByRole("row").count()).toBe(101);
    await follow("Next →");
    expect(await page.getByRole("row").count()).toBe(4);
    expect(await main.textContent()).toContain("101–103 of 103");
    await follow("← Previous");
    expect(await page.getByRole("row").count()).toBe(101);

    await page.getByRole("searchbox").fill("many");
    await arrive(page.getByRole("button", { name: "Search" }).click());
    expect(await main.textContent()).toContain("100 of 103 store paths");
    await page.getByRole("searchbox").fill(`${hello.storePath}/bin/hello`);
    await arrive(page.keyboard.press("Enter"));
    expect(await main.textContent()).toContain("1 of 103 store paths");

    await follow(/hello-2\.12$/);
    await follow("bin");
    await follow("hello");
    expect(await page.locator("pre").textContent()).toBe(script);
    await follow(String(bash.storePath));
    // It is a referrer.
    await follow(/hello-2\.12$/);
    await follow("lib");
    await follow("Follow it");
    expect(page.url()).toBe(`${base}/browse/${bash.storePath.basename}/bin`);
    await follow("tvix-store");
    expect(page.url()).toBe(`${base}/`);
    expect(complaints).toEqual([]);
  });

  test("can be used by everybody, on a desk, in the dark, on a phone", async () => {
    const { page, complaints } = window;
    for (const [what, path] of Object.entries(pages)) {
      await page.emulateMedia({ colorScheme: "light" });
      await page.goto(path);
      await page.evaluate(AXE);
      expect(await page.evaluate<string[]>(findings()), what).toEqual([]);
      await page.emulateMedia({ colorScheme: "dark" });
      expect(await page.evaluate<string[]>(findings("color-contrast")), `${what}, dark`).toEqual(
        [],
      );
      await page.setViewportSize({ width: PHONE_WIDTH, height: 740 });
      const width = await page.evaluate<number>("document.documentElement.scrollWidth");
      expect(width, `${what}, on a phone`).toBeLessThanOrEqual(PHONE_WIDTH);
      await page.setViewportSize({ width: 1280, height: 800 });
    }
    expect(complaints.splice(0), "that one page is not there").toEqual([
      expect.stringContaining("404 (Not Found)"),
    ]);
  });

  test.each(["light", "dark"] as const)("have colors that differ enough, %s", async (scheme) => {
    const { page } = window;
    await page.goto("/");
    await page.emulateMedia({ colorScheme: scheme });
    // Links that were visited as well, whose color a browser tells nobody.
    for (const text of ["--text", "--quiet", "--link", "--seen"]) {
      for (const ground of ["--page", "--raised"]) {
        const ratio = contrast(await color(page, text), await color(page, ground));
        expect(ratio, `${text} on ${ground}`).toBeGreaterThanOrEqual(4.5);
      }
    }
  });

  test("show where the keyboard is, from the first Tab on", async () => {
    const { page } = window;
    await page.goto(pages["a file"] as string);
    const stops: string[] = [];
    for (let count = 0; count < 9; count++) {
      await page.keyboard.press("Tab");
      const { name, outline, top, width } = await page.evaluate<Stop>(FOCUSED);
      expect(outline, name).toMatch(/ solid 2px$/);
      expect(top, name).toBeGreaterThanOrEqual(0);
      expect(width, name).toBeGreaterThan(0);
      stops.push(name);
    }
    expect(stops).toEqual([
      "tvix-store",
      "Store paths",
      "search",
      "submit",
      "/nix/store",
      hello.storePath.basename,
      "bin",
      "Open it",
      script.trim(),
    ]);
  });
});

interface Stop {
  readonly name: string;
  readonly outline: string;
  readonly top: number;
  readonly width: number;
}

const FOCUSED = `(() => {
  const element = document.activeElement;
  const { top, width } = element.getBoundingClientRect();
  const { outline } = getComputedStyle(element);
  return { name: element.type || element.textContent.trim(), outline, top, width };
})()`;

/** For a page with axe in it: what it finds wrong, and what it cannot decide; by one of its rules, or all. */
function findings(rule?: string): string {
  return `axe.run(${rule === undefined ? "" : `{ runOnly: "${rule}" }`}).then(({ violations, incomplete }) =>
    [...violations, ...incomplete]
      .flatMap(({ id, nodes }) =>
        nodes.map(({ html, any }) => [id, html, ...any.map(({ message }) => message)].join(" | ")))
      .filter((finding) => !finding.endsWith("contains only non-text characters")))`;
}

async function color(page: Page, property: string): Promise<string> {
  return await page.evaluate<string>(
    `getComputedStyle(document.documentElement).getPropertyValue("${property}")`,
  );
}

/** The ratio of WCAG 2, from 1 to 21. */
function contrast(...colors: readonly [string, string]): number {
  const [light = 0, dark = 0] = colors.map(luminance).sort((a, b) => b - a);
  return (light + 0.05) / (dark + 0.05);
}

function luminance(color: string): number {
  const [red = 0, green = 0, blue = 0] = Array.from(
    Buffer.from(color.trim().slice(1), "hex"),
    (byte) => {
      const value = byte / 255;
      return value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
    },
  );
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
}
