import { describe, expect, it } from "vitest";
import { EMPTY_DIGEST } from "../../../src/castore/digest.js";
import { directoryFrom } from "../../../src/castore/directory-codec.js";
import { ChildOffsets, InodeRanges } from "../../../src/castore/fs/inode-ranges.js";
import type { Node } from "../../../src/castore/node.js";
import { bytes } from "../../support/bytes.js";

const file: Node = { type: "file", digest: EMPTY_DIGEST, size: 1n, executable: false };
const tree = (size: bigint): Node => ({ type: "directory", digest: EMPTY_DIGEST, size });

describe("InodeRanges", () => {
  it("gives each root a range of its own, and the same one again", () => {
    const ranges = new InodeRanges();
    const a = ranges.rangeOf(bytes("a"), tree(9n));
    const b = ranges.rangeOf(bytes("b"), file);
    const c = ranges.rangeOf(bytes("c"), tree(0n));
    expect([a.base, b.base, c.base]).toEqual([2, 12, 13]);
    expect(ranges.rangeOf(bytes("a"), tree(9n))).toBe(a);
    expect(ranges.rangeOf(bytes("a"), tree(10n)).base).toBe(14);
  });

  it("finds the root of every number", () => {
    const ranges = new InodeRanges();
    const a = ranges.rangeOf(bytes("a"), tree(9n));
    const b = ranges.rangeOf(bytes("b"), tree(2n));
    expect(ranges.find(1)).toBeUndefined();
    for (let inode = 2; inode <= 11; inode++) expect(ranges.find(inode)).toBe(a);
    for (let inode = 12; inode <= 14; inode++) expect(ranges.find(inode)).toBe(b);
  });

  it("refuses a tree too large to be numbered and goes on", () => {
    const ranges = new InodeRanges();
    for (const size of [2n ** 64n - 1n, 2n ** 53n]) {
      expect(() => ranges.rangeOf(bytes("huge"), tree(size))).toThrow(
        expect.objectContaining({ code: "limit-exceeded" }),
      );
    }
    expect(ranges.rangeOf(bytes("fine"), file).base).toBe(2);
  });
});

describe("ChildOffsets", () => {
  const offsets = new ChildOffsets(
    directoryFrom([
      { name: bytes("a"), node: file },
      { name: bytes("b"), node: tree(5n) },
      { name: bytes("c"), node: { type: "symlink", target: bytes("a") } },
    ]),
  );

  it("counts up in the order of the names", () => {
    expect([0, 1, 2].map((index) => offsets.start(index))).toEqual([1, 2, 8]);
    expect(offsets.span).toBe(9);
  });

  it("finds the child of every offset", () => {
    expect([1, 2, 3, 7, 8, 9].map((offset) => offsets.find(offset))).toEqual([0, 1, 1, 1, 2, -1]);
  });
});
