import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { isStoreError } from "../../src/base/errors.js";
import { WireWriter } from "../../src/base/protobuf.js";
import { B3Digest } from "../../src/castore/digest.js";
import type { DirectoryEntry } from "../../src/castore/directory.js";
import { decodeDirectory, directoryFrom } from "../../src/castore/directory-codec.js";
import { encodeEntry, kindOf } from "../../src/castore/node-codec.js";
import { bytes } from "../support/bytes.js";
import { EMPTY_DIGEST } from "../support/empty-digest.js";
import { DIRECTORY, DIRECTORY_DIGESTS } from "../vectors/directories.js";

const file = (name: string, size = 0n): DirectoryEntry => ({
  name: bytes(name),
  node: { type: "file", digest: EMPTY_DIGEST, size, executable: false },
});
const folder = (name: string, size = 0n): DirectoryEntry => ({
  name: bytes(name),
  node: { type: "directory", digest: EMPTY_DIGEST, size },
});
const link = (name: string, target = "aa"): DirectoryEntry => ({
  name: bytes(name),
  node: { type: "symlink", target: bytes(target) },
});

/** Encodes entries in the given order, whether or not that is allowed. */
function encode(...entries: DirectoryEntry[]): Buffer {
  const writer = new WireWriter();
  for (const { name, node } of entries) {
    writer.bytes(kindOf(node), encodeEntry(name, node), true);
  }
  return writer.finish();
}

function names(encoded: Uint8Array): string[] {
  return Array.from(decodeDirectory(encoded).entries(), ({ name }) => Buffer.from(name).toString());
}

describe("the fixture directories", () => {
  it.each(DIRECTORY_DIGESTS)("%s has size %d and its published digest", (name, size, digest) => {
    const directory = DIRECTORY[name];
    expect(directory.digest.hex).toBe(digest);
    expect(directory.size).toBe(size);
    expect(decodeDirectory(directory.bytes).digest.hex).toBe(digest);
  });

  it("have their published encodings", () => {
    const { withKeep, b, complicated } = DIRECTORY;
    expect(Buffer.from(withKeep.bytes).toString("hex")).toBe(
      "12290a052e6b6565701220af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262",
    );
    expect(Buffer.from(b.bytes).toString("hex")).toBe(
      "0a250a01611220af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262",
    );
    expect(Buffer.from(complicated.bytes).toString("hex")).toBe(
      "0a2a0a046b65657012208b5b5d642b646bb8ed504b0862c39413e87e57491497de7bd075953f7b83810e180112290a052e6b6565701220af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f32621a1e0a02616112182f6e69782f73746f72652f736f6d657768657265656c7365",
    );
  });
});

describe("Directory.admitsSize()", () => {
  it.each(DIRECTORY_DIGESTS)("lets %s be stated in both conventions only", (name) => {
    const directory = DIRECTORY[name];
    const doubled = directory.size + BigInt(directory.count);
    expect(directory.admitsSize(directory.size)).toBe(true);
    expect(directory.admitsSize(doubled)).toBe(true);
    expect(directory.admitsSize(doubled + 1n)).toBe(false);
    expect(directory.admitsSize(directory.size - 1n)).toBe(false);
  });
});

describe("decodeDirectory()", () => {
  it("merges the three lists by name", () => {
    const encoded = encode(folder("b"), folder("e"), file("a"), file("f"), link("c"), link("d"));
    expect(names(encoded)).toEqual(["a", "b", "c", "d", "e", "f"]);
  });

  it("gives nothing of what was decoded before, be it wrong or large", () => {
    const first = decodeDirectory(encode(file("a"), file("b")));
    const many = Array.from({ length: 10_000 }, (_, index) => file(String(100_000 + index)));
    expect(decodeDirectory(encode(...many)).count).toBe(many.length);
    expect(() => decodeDirectory(encode(folder("x"), file("x")))).toThrow("Duplicate name");
    expect(names(encode(link("only")))).toEqual(["only"]);
    expect([...first.entries()]).toEqual([file("a"), file("b")]);
  });

  it("sorts names as bytes, not as text", () => {
    // In UTF-16 the second sorts first.
    expect(names(encode(file("\uffff"), file("\u{10000}")))).toEqual(["\uffff", "\u{10000}"]);
    expect(names(encode(file("Z"), file("a")))).toEqual(["Z", "a"]);
  });

  it.each<[string, Buffer, RegExp]>([
    ["files out of order", encode(file("b"), file("a")), /"a" must come before "b"/],
    ["directories out of order", encode(folder("b"), folder("a")), /must come before/],
    ["symlinks out of order", encode(link("b"), link("a")), /must come before/],
    ["a name twice in one list", encode(file("a"), file("a")), /Duplicate name "a"/],
    ["a name in two lists", encode(folder("a"), file("a")), /Duplicate name "a"/],
    ["a name in the outer lists", encode(folder("a"), file("b"), link("a")), /Duplicate name "a"/],
    ["an empty name", encode(file("")), /empty/],
    ["the name .", encode(file(".")), /relative to itself/],
    ["the name ..", encode(folder("..")), /relative to itself/],
    ["a slash", encode(link("foo/bar")), /slash/],
    ["a NUL", encode(file("\0")), /NUL/],
    ["a name of 256 bytes", encode(file("x".repeat(256))), /256 bytes/],
    ["an empty target", encode(link("a", "")), /target.*empty/],
    ["a target with a NUL", encode(link("a", "\0")), /NUL/],
    ["a target of 4096 bytes", encode(link("a", "x".repeat(4096))), /4096 bytes/],
    ["a size that overflows alone", encode(folder("a", 2n ** 64n - 1n)), /64 bits/],
    [
      "sizes that overflow together",
      encode(folder("a", 2n ** 63n), folder("b", 2n ** 63n)),
      /64 bits/,
    ],
    ["a short digest", Buffer.from("12070a0161120201ff", "hex"), /2 bytes, expected 32/],
    ["no digest", Buffer.from("0a030a0161", "hex"), /0 bytes, expected 32/],
    ["a field of the wrong type", Buffer.from("0801", "hex"), /wire type/],
  ])("refuses %s", (_title, encoded, message) => {
    expect(() => decodeDirectory(encoded)).toThrow(
      expect.objectContaining({
        code: "invalid-argument",
        message: expect.stringMatching(message),
      }),
    );
  });

  it("takes the largest size there is", () => {
    expect(decodeDirectory(encode(folder("a", 2n ** 64n - 2n))).size).toBe(2n ** 64n - 1n);
    const [entry] = decodeDirectory(encode(file("a", 2n ** 64n - 1n))).entries();
    expect(entry?.node).toMatchObject({ size: 2n ** 64n - 1n });
  });

  it.each([
    ["lists in another order", encode(link("c"), file("b"), folder("a"))],
    [
      "an unknown field",
      Buffer.concat([encode(folder("a"), file("b"), link("c")), bytes("\x22\x01x")]),
    ],
    [
      "a default value spelt out",
      Buffer.concat([
        Buffer.from("0a27", "hex"),
        encodeEntry(bytes("a"), folder("a").node),
        Buffer.from("1800", "hex"),
        encode(file("b"), link("c")),
      ]),
    ],
  ])("gives a directory with %s its canonical digest", (_title, encoded) => {
    const canonical = directoryFrom([folder("a"), file("b"), link("c")]);
    const decoded = decodeDirectory(encoded);
    expect(Buffer.compare(encoded, canonical.bytes)).not.toBe(0);
    expect(decoded.digest.hex).toBe(canonical.digest.hex);
    expect(Buffer.from(decoded.bytes)).toEqual(Buffer.from(canonical.bytes));
  });
});

const anyName = fc
  .uint8Array({ minLength: 1, maxLength: 255 })
  .filter((name) => !name.includes(0) && !name.includes(0x2f))
  .filter((name) => !/^\.{1,2}$/.test(Buffer.from(name).toString("latin1")));
const anyDigest = fc.uint8Array({ minLength: 32, maxLength: 32 }).map(B3Digest.from);
const anyU64 = fc.bigInt({ min: 0n, max: 2n ** 64n - 1n });
const anyNode = fc.oneof(
  fc.record({
    type: fc.constant("directory" as const),
    digest: anyDigest,
    size: fc.bigInt({ min: 0n, max: 2n ** 56n }),
  }),
  fc.record({
    type: fc.constant("file" as const),
    digest: anyDigest,
    size: anyU64,
    executable: fc.boolean(),
  }),
  fc.record({
    type: fc.constant("symlink" as const),
    target: fc.uint8Array({ minLength: 1, maxLength: 300 }).filter((target) => !target.includes(0)),
  }),
);
const anyEntries = fc.uniqueArray(fc.record({ name: anyName, node: anyNode }), {
  maxLength: 12,
  selector: ({ name }) => Buffer.from(name).toString("latin1"),
});

describe("directoryFrom()", () => {
  it("keeps every entry, sorted by name, and finds each", () => {
    fc.assert(
      fc.property(anyEntries, (entries) => {
        const directory = directoryFrom(entries);
        const sorted = [...entries].sort((a, b) => Buffer.compare(a.name, b.name));
        expect(directory.count).toBe(entries.length);
        for (const [index, { name, node }] of sorted.entries()) {
          expect(Buffer.from(directory.name(index))).toEqual(Buffer.from(name));
          expect(directory.type(index)).toBe(node.type);
          expect(directory.indexOf(name)).toBe(index);
          const found = directory.node(index);
          if (node.type === "symlink" || found.type === "symlink") {
            expect(found).toMatchObject({ type: "symlink" });
          } else {
            expect(found.digest.hex).toBe(node.digest.hex);
            expect({ ...found, digest: 0 }).toEqual({ ...node, digest: 0 });
          }
        }
        expect(directory.indexOf(bytes("no such name, at any rate"))).toBe(-1);
        expect(Buffer.from(directoryFrom(directory.entries()).bytes)).toEqual(
          Buffer.from(directory.bytes),
        );
      }),
    );
  });

  it("turns changed bytes into a directory or a StoreError, and nothing else", () => {
    const mutation = fc.tuple(fc.nat(), fc.integer({ min: 0, max: 255 }));
    fc.assert(
      fc.property(
        anyEntries,
        fc.array(mutation, { minLength: 1, maxLength: 4 }),
        (entries, changes) => {
          const encoded = Buffer.from(directoryFrom(entries).bytes);
          for (const [at, value] of changes)
            if (encoded.length > 0) encoded[at % encoded.length] = value;
          try {
            const directory = decodeDirectory(encoded);
            expect(decodeDirectory(directory.bytes).digest.hex).toBe(directory.digest.hex);
          } catch (error) {
            expect(isStoreError(error, "invalid-argument")).toBe(true);
          }
        },
      ),
      { numRuns: 500 },
    );
  });
});
