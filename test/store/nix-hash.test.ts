import { createHash } from "node:crypto";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  DIGEST_BYTES,
  formatDigest,
  formatHash,
  HASH_ALGORITHMS,
  type HashAlgorithm,
  parseDigest,
  parseHash,
} from "../../src/store/nix-hash.js";

const DIGESTS: readonly [HashAlgorithm, hex: string][] = [
  ["md5", "c4874a8897440b393d862d8fd459073f"],
  ["sha1", "6016777997c30ab02413cf5095622cd7924283ac"],
  ["sha256", "a5ce9c155ed09397614646c9717fc7cd94b1023d7b76b618d409e4fefd6e9d39"],
  ["sha512", createHash("sha512").update("x").digest("hex")],
];

const hashArbitrary = fc
  .constantFrom(...HASH_ALGORITHMS)
  .chain((algorithm) =>
    fc
      .uint8Array({ minLength: DIGEST_BYTES[algorithm], maxLength: DIGEST_BYTES[algorithm] })
      .map((bytes) => ({ algorithm, digest: Buffer.from(bytes) })),
  );

describe("parseHash()", () => {
  it.each(DIGESTS)("reads %s in every form", (algorithm, hex) => {
    const hash = { algorithm, digest: Buffer.from(hex, "hex") };
    const base64 = hash.digest.toString("base64");
    const forms = [
      `${algorithm}:${hex}`,
      `${algorithm}:${hex.toUpperCase()}`,
      formatHash(hash),
      `${algorithm}:${base64}`,
      `${algorithm}-${base64}`,
      `${algorithm}-${base64.replace(/=+$/, "")}`,
    ];
    for (const form of forms) expect(parseHash(form)).toEqual(hash);
  });

  it("reads what is written, in each encoding", () => {
    fc.assert(
      fc.property(hashArbitrary, (hash) => {
        expect(parseHash(formatHash(hash))).toEqual(hash);
        expect(parseHash(formatDigest(hash, "sri"))).toEqual(hash);
        for (const encoding of ["base16", "base32", "base64"] as const) {
          const text = formatDigest(hash, encoding);
          expect(parseDigest(hash.algorithm, text)).toEqual(hash.digest);
        }
      }),
    );
  });

  const sri = "sha256-pc6cFV7Qk5dhRkbJcX/HzZSxAj17drYY1Ank/v1unTk=";
  it.each([
    ["nothing", "", "it names no algorithm"],
    ["a digest alone", "a".repeat(64), "it names no algorithm"],
    ["another algorithm", `sha384-${"a".repeat(64)}`, 'unknown algorithm "sha384"'],
    ["an algorithm in capitals", `SHA1:${"0".repeat(40)}`, 'unknown algorithm "SHA1"'],
    ["a name every object has", "constructor:00", "unknown algorithm"],
    ["a digest that is cut", `sha256:${"0".repeat(51)}`, "51 characters, expected 64 (hex)"],
    ["SRI that is cut", sri.slice(0, -4), "bytes, expected 32"],
    ["SRI of several hashes", `${sri} ${sri}`, "is not base64"],
    ["SRI in hex", `sha256-${"0".repeat(64)}`, "48 bytes, expected 32"],
    ["SRI with too much padding", `${sri}=`, "is not base64"],
    ["SRI with half its padding", `md5-${Buffer.alloc(16).toString("base64").slice(0, -1)}`, "64"],
    ["SRI with bits beyond the last byte", sri.replace("Tk=", "Tl="), "is not base64"],
    ["SRI in the alphabet of URLs", sri.replace("/", "_"), "is not base64"],
    ["a wrong hex digit", `sha1:${"0".repeat(39)}g`, "it is not hexadecimal"],
    ["a wrong nixbase32 digit", `sha1:${"0".repeat(31)}e`, "not in the alphabet"],
    ["a wrong base64 digit", `sha1:${"0".repeat(26)}.=`, "it is not base64"],
    ["a line end", `sha1:${"0".repeat(40)}\n`, "41 characters"],
    ["a blank before", ` ${sri}`, 'unknown algorithm " sha256"'],
  ])("refuses %s", (_title, text, message) => {
    expect(() => parseHash(text)).toThrow(
      expect.objectContaining({
        code: "invalid-argument",
        message: expect.stringContaining(message),
      }),
    );
  });

  it("quotes only the start of what is far too long", () => {
    expect(() => parseHash(`sha1:${"0".repeat(1e6)}`)).toThrow(
      expect.objectContaining({ message: expect.stringMatching(/^.{0,500}$/) }),
    );
  });
});
