import { describe, expect, it } from "vitest";
import { B3Digest, B3Hasher, EMPTY_DIGEST } from "../../src/castore/digest.js";
import { loadSmallHash } from "../../src/castore/small-hash.js";
import { noise } from "../support/bytes.js";
import { BLOB_DIGESTS } from "../vectors/directories.js";

describe("B3Digest", () => {
  it.each(BLOB_DIGESTS)("of %s", (_title, content, hex) => {
    expect(B3Digest.of(content).hex).toBe(hex);
  });

  it("is written and read as text, in both prefixes", () => {
    const text = "rxNJufX5oaagQE3qNtzJSZvLJcmtwRK3zJqTyuQfMmI=";
    expect(EMPTY_DIGEST.toString()).toBe(`blake3-${text}`);
    expect(B3Digest.parse(`blake3-${text}`).equals(EMPTY_DIGEST)).toBe(true);
    expect(B3Digest.parse(`b3:${text}`).equals(EMPTY_DIGEST)).toBe(true);
  });

  it.each(["", "blake3-", "sha256-rxNJufX5oaagQE3qNtzJSZvLJcmtwRK3zJqTyuQfMmI=", "blake3-AAAA"])(
    "refuses the text %j",
    (text) => {
      expect(() => B3Digest.parse(text)).toThrow(
        expect.objectContaining({ code: "invalid-argument" }),
      );
    },
  );

  it.each([0, 31, 33])("refuses %d bytes", (length) => {
    expect(() => B3Digest.from(new Uint8Array(length))).toThrow(
      expect.objectContaining({ code: "invalid-argument" }),
    );
  });
});

describe("loadSmallHash()", () => {
  const sizes = [0, 1, 63, 64, 1023, 1024, 1025, 4096, 16_383, 16_384, 16_385, 100_000];

  it("changes no digest, and digests do not share memory", async () => {
    const contents = sizes.map((size) => noise(size, size));
    const before = contents.map((content) => B3Digest.of(content));
    await loadSmallHash();
    const after = contents.map((content) => B3Digest.of(content));
    expect(after.map(({ hex }) => hex)).toEqual(before.map(({ hex }) => hex));
  });
});

describe("B3Hasher", () => {
  it("gives the digest of the whole, however it was cut", () => {
    const content = noise(100_000);
    for (const step of [1, 63, 1024, 70_000]) {
      const hasher = new B3Hasher();
      for (let at = 0; at < content.length; at += step)
        hasher.update(content.subarray(at, at + step));
      expect(hasher.finish().equals(B3Digest.of(content))).toBe(true);
    }
  });
});
