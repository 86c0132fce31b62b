import { createRequire } from "node:module";
import { describe, expect, it, vi } from "vitest";
import { toHex } from "../../src/base/bytes.js";
import { B3Digest, B3Hasher } from "../../src/castore/digest.js";
import { oneShotHash } from "../../src/castore/one-shot-hash.js";
import { noise } from "../support/bytes.js";
import { EMPTY_DIGEST } from "../support/empty-digest.js";
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

describe("oneShotHash()", () => {
  const sizes = [0, 1, 63, 64, 1023, 1024, 1025, 4096, 16_383, 65_537, 3_000_000];
  const { hash } = createRequire(import.meta.url)("blake3") as typeof import("blake3");

  // Not at the beginning of their memory.
  const contents = sizes.map((size) => noise(size + 5, size).subarray(5));

  it("gives what the package does once it is there, and digests do not share memory", () => {
    for (let count = 0; count < 1000; count++) oneShotHash(new Uint8Array(0), hash);
    const once = contents.map((content) => toHex(oneShotHash(content, hash) as Uint8Array));
    const digests = contents.map((content) => B3Digest.of(content));
    const expected = contents.map((content) => toHex(hash(content)));
    expect(once).toEqual(expected);
    expect(digests.map(({ hex }) => hex)).toEqual(expected);
  });

  it.each([
    ["soon where another library is in use", true, 20],
    ["after many where none is", false, 500],
  ] as const)("is there %s", async (_when, loadsLibrary, expected) => {
    vi.resetModules();
    const { loadSystemLibrary } = await import("../../src/base/system-library.js");
    const { oneShotHash: fresh } = await import("../../src/castore/one-shot-hash.js");
    if (loadsLibrary) loadSystemLibrary(null, {});
    let count = 0;
    while (fresh(contents[1] as Uint8Array, hash) === undefined && count < 1000) count++;
    expect(count).toBe(expected);
  });

  it("tells whose digest one is", () => {
    const digests = contents.map((content) => B3Digest.of(content));
    for (const [index, digest] of digests.entries()) {
      const own = contents.map((content) => digest.isOf(content));
      expect(own).toEqual(contents.map((_, other) => other === index));
    }
  });
});

it("oneShotHash() keeps the memory it works on", () => {
  const { hash } = createRequire(import.meta.url)("blake3") as typeof import("blake3");
  const content = noise(100);
  const digest = toHex(hash(content));
  const kept: Buffer[] = [];
  // What nobody held would be collected, and given to one of these.
  for (let count = 0; count < 100_000; count++) {
    kept[count % 1000] = Buffer.alloc(4096, 1);
    const found = oneShotHash(content, hash);
    if (found !== undefined && count % 1000 === 0) expect(toHex(found)).toBe(digest);
  }
  expect(kept.every((each) => each.every((byte) => byte === 1))).toBe(true);
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
