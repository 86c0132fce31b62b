import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { isStoreError } from "../../src/base/errors.js";
import {
  StorePath,
  validateStorePathHash,
  validateStorePathName,
} from "../../src/store/store-path.js";
import { storePathArbitrary } from "./support/path-info.js";

const HASH = "00bgd045z0d4icpbc2yyz4gx48ak44la";
const HASH_HEX = "8a12321522fd91efbd60ebb2481af88580f61600";

function refusal(why: string): object {
  return expect.objectContaining({
    code: "invalid-argument",
    message: expect.stringContaining(why),
  });
}

describe("StorePath", () => {
  it("reads and writes both forms", () => {
    const path = StorePath.parse(`${HASH}-net-tools-1.60_p20170221182432`);
    expect(Buffer.from(path.hash).toString("hex")).toBe(HASH_HEX);
    expect(path.name).toBe("net-tools-1.60_p20170221182432");
    expect(path.basename).toBe(`${HASH}-net-tools-1.60_p20170221182432`);
    expect(path.toString()).toBe(`/nix/store/${HASH}-net-tools-1.60_p20170221182432`);
    expect(StorePath.parseAbsolute(path.toString()).equals(path)).toBe(true);
  });

  it.each(["a", ".", "..", ".a", "..a", "...", ".-", "..-a", ".-a", "...-a", "a.", "?=+_-."])(
    "takes the name %j exactly when Nix does",
    (name) => {
      const refused = [".", "..", ".-", "..-a", ".-a"].includes(name);
      if (refused)
        expect(() => StorePath.parse(`${HASH}-${name}`)).toThrow(refusal("first dash is . or .."));
      else expect(StorePath.parse(`${HASH}-${name}`).name).toBe(name);
    },
  );

  it.each([
    ["an empty name", `${HASH}-`, "it is empty"],
    ["a name that is too long", `${HASH}-${"a".repeat(212)}`, "212 characters, at most 211"],
    ["a hash alone", HASH, "found 32 characters"],
    ["nothing", "", "found 0 characters"],
    ["a hash that is too short", `${HASH.slice(1)}-net-tools`, 'character 31, "-"'],
    ["a letter outside the alphabet", `e${HASH.slice(1)}-net-tools`, 'character 0, "e"'],
    ["a missing dash", `${HASH}_net-tools`, "no dash follows the hash"],
    ["something below it", `${HASH}-net-tools/bin`, 'character 9, "/"'],
    ["a line break", `${HASH}-net-tools\n`, 'character 9, "\\x0a"'],
    ["a letter outside ASCII", `${HASH}-nét`, 'character 1, "é"'],
    ["the absolute form", `/nix/store/${HASH}-a`, 'character 0, "/"'],
  ])("refuses %s and says why", (_title, text, why) => {
    expect(() => StorePath.parse(text)).toThrow(refusal(why));
  });

  it("takes a name of 211 characters", () => {
    expect(StorePath.parse(`${HASH}-${"a".repeat(211)}`).name).toHaveLength(211);
  });

  it.each([`${HASH}-a`, `/nix/${HASH}-a`, `/nix/store${HASH}-a`, `nix/store/${HASH}-a`])(
    "refuses %j as an absolute path",
    (text) => {
      expect(() => StorePath.parseAbsolute(text)).toThrow(refusal("not in /nix/store"));
    },
  );

  it("is made only from valid parts", () => {
    expect(() => StorePath.from(new Uint8Array(19), "a")).toThrow(refusal("19 bytes"));
    expect(() => StorePath.from(new Uint8Array(20), "a b")).toThrow(refusal('character 1, " "'));
    expect(() => validateStorePathHash(new Uint8Array(32))).toThrow(refusal("32 bytes"));
    expect(() => validateStorePathName("a/b")).toThrow(refusal('character 1, "/"'));
  });

  it("equals another with the same hash and name only", () => {
    const path = StorePath.from(new Uint8Array(20), "a");
    expect(path.equals(StorePath.from(new Uint8Array(20), "a"))).toBe(true);
    expect(path.equals(StorePath.from(new Uint8Array(20), "b"))).toBe(false);
    expect(path.equals(StorePath.from(new Uint8Array(20).fill(1), "a"))).toBe(false);
  });

  it("gives back every store path it wrote", () => {
    fc.assert(
      fc.property(storePathArbitrary, (path) => {
        expect(StorePath.parse(path.basename).equals(path)).toBe(true);
        expect(StorePath.parseAbsolute(String(path)).equals(path)).toBe(true);
      }),
    );
  });

  it("reads any text as a store path that is written the same, or refuses it", () => {
    const almost = fc
      .tuple(storePathArbitrary, fc.nat({ max: 60 }), fc.string({ maxLength: 2 }))
      .map(([path, at, put]) => path.basename.slice(0, at) + put + path.basename.slice(at + 1));
    fc.assert(
      fc.property(fc.oneof(almost, fc.string()), (text) => {
        try {
          expect(StorePath.parse(text).basename).toBe(text);
        } catch (error) {
          if (!isStoreError(error, "invalid-argument")) throw error;
        }
      }),
    );
  });
});
