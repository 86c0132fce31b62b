import { describe, expect, test } from "vitest";
import { linkedText } from "../../../src/http/pages/linked-text.js";
import { pathCalled } from "../support/serve-http.js";

describe("linkedText()", () => {
  const path = String(pathCalled("tool-1.0"));
  const link = `<a href="/browse/${path.slice("/nix/store/".length)}">${path}</a>`;

  test.each([
    ["nothing else", path, link],
    ["a file in it", `#!${path}/bin/sh\n`, `#!${link}/bin/sh\n`],
    ["the full stop of a sentence", `See ${path}.`, `See ${link}.`],
    ["markup", `<b>${path}"`, `&lt;b&gt;${link}&quot;`],
    ["another", `${path}:${path}`, `${link}:${link}`],
  ])("links a store path with %s around it", (_title, text, html) => {
    expect(linkedText(text).text).toBe(html);
  });

  test.each(["/nix/store/short-name", "/nix/store/", `/nix/store/${"e".repeat(32)}-name`])(
    "leaves %s alone",
    (text) => expect(linkedText(text).text).toBe(text),
  );
});
