import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { encodeSegment, parseRequestTarget } from "../../src/http/request-target.js";

const INVALID = expect.objectContaining({ code: "invalid-argument" });

describe("parseRequestTarget()", () => {
  test.each([
    ["/", []],
    ["//nar//x", ["nar", "x"]],
    ["/a%20b/%C3%A9?x=/..", ["a b", "é"]],
    ["http://cache.example:80/x.narinfo", ["x.narinfo"]],
    ["/realisations/sha256:00!out.doi", ["realisations", "sha256:00!out.doi"]],
    ["/a/..%2e./b", ["a", "....", "b"]],
  ])("takes %s apart", (target, names) => {
    expect(parseRequestTarget(target).names).toEqual(names);
  });

  test.each([
    "/..",
    "/a/../b",
    "/%2e%2e/etc/passwd",
    "/.%2E/x",
    "/.",
    "/a%2fb",
    "/a%00b",
    "/%",
    "/%zz",
    `/${"a".repeat(9000)}`,
  ])("refuses %s", (target) => {
    expect(() => parseRequestTarget(target)).toThrow(INVALID);
  });

  test("finds the query and the slash at the end", () => {
    const { query, endsInSlash } = parseRequestTarget("/browse/?q=a%26b&from=3");
    expect([query.get("q"), query.get("from"), endsInSlash]).toEqual(["a&b", "3", true]);
  });

  test("gives back what encodeSegment() wrote, whatever bytes a name has", () => {
    const name = fc
      .uint8Array({ minLength: 1, maxLength: 255 })
      .filter((bytes) => !bytes.includes(0) && !bytes.includes(0x2f))
      .filter((bytes) => !/^\.{1,2}$/.test(Buffer.from(bytes).toString("latin1")));
    fc.assert(
      fc.property(name, (bytes) => {
        const { segments } = parseRequestTarget(`/${encodeSegment(bytes)}`);
        expect(segments).toEqual([Buffer.from(bytes)]);
      }),
    );
  });

  test("gives a target or refuses, whatever it is given", () => {
    fc.assert(
      fc.property(fc.string(), (text) => {
        try {
          parseRequestTarget(text);
        } catch (error) {
          expect(error).toEqual(INVALID);
        }
      }),
    );
  });
});
