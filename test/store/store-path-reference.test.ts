import { describe, expect, it } from "vitest";
import {
  parseStorePathReference,
  type StorePathReference,
} from "../../src/store/store-path-reference.js";

const HASH = "00bgd045z0d4icpbc2yyz4gx48ak44la";

function shown({ hash, name, components }: StorePathReference): unknown[] {
  return [Buffer.from(hash).toString("hex"), name, components.map((each) => String(each))];
}

describe("parseStorePathReference()", () => {
  it.each([
    [`/nix/store/${HASH}-hello`, "hello", []],
    [`${HASH}-hello`, "hello", []],
    [HASH, undefined, []],
    [`/nix/store/${HASH}-hello/bin/hello`, "hello", ["bin", "hello"]],
    [`${HASH}-hello/bin/hello`, "hello", ["bin", "hello"]],
    [`${HASH}/bin/hello`, undefined, ["bin", "hello"]],
    [`${HASH}-hello/`, "hello", []],
    [`/nix/store//${HASH}-hello//share/a b/é/`, "hello", ["share", "a b", "é"]],
    [`${HASH}-.hidden/...`, ".hidden", ["..."]],
  ])("reads %j", (text, name, components) => {
    expect(shown(parseStorePathReference(text))).toEqual([
      "8a12321522fd91efbd60ebb2481af88580f61600",
      name,
      components,
    ]);
  });

  it("leaves the name out when only the hash was given", () => {
    expect(parseStorePathReference(HASH)).not.toHaveProperty("name");
  });

  it.each([
    ["", "names nothing"],
    ["/nix/store", "names nothing in the store"],
    ["/nix/store/", "names nothing"],
    [`/nix/storage/${HASH}-hello`, "not in /nix/store"],
    [`/${HASH}-hello`, "not in /nix/store"],
    [`/nix/store/${HASH}`, "found 32 characters"],
    [`./${HASH}-hello`, "found 1 characters"],
    [`store/${HASH}-hello`, "found 5 characters"],
    [`${HASH}-`, "it is empty"],
    [`${HASH.slice(1)}/bin`, "found 31 characters"],
    [`E${HASH.slice(1)}`, 'character 0, "E"'],
    [`${HASH}-hello/../other`, "relative to itself"],
    [`${HASH}/./bin`, "relative to itself"],
    [`${HASH}/${"a".repeat(256)}`, "256 bytes"],
    [`${HASH}/a\0b`, "NUL"],
  ])("refuses %j and says why", (text, why) => {
    expect(() => parseStorePathReference(text)).toThrow(
      expect.objectContaining({
        code: "invalid-argument",
        message: expect.stringContaining(why),
      }),
    );
  });

  it("quotes what was given", () => {
    expect(() => parseStorePathReference("hello\n")).toThrow('Invalid store path "hello\\x0a":');
  });
});
