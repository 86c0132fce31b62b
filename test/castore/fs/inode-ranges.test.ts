import { describe, expect, it } from "vitest";
import { B3Digest } from "../../../src/castore/digest.js";
import { directoryFrom } from "../../../src/castore/directory-codec.js";
import { ChildOffsets, InodeRanges } from "../../../src/castore/fs/inode-ranges.js";
import { RangeLog } from "../../../src/castore/fs/range-log.js";
import type { Node } from "../../../src/castore/node.js";
import { bytes } from "../../support/bytes.js";
import { EMPTY_DIGEST } from "../../support/empty-digest.js";

const file: Node = { type: "file", digest: EMPTY_DIGEST, size: 1n, executable: false };
const tree = (size: bigint): Node => ({ type: "directory", digest: EMPTY_DIGEST, size });

/** Ranges over roots that can be changed. */
function rangesOver(roots: Map<string, Node>, log = new RangeLog()): InodeRanges {
  return new InodeRanges(log, { lookup: (name) => roots.get(Buffer.from(name).toString()) });
}

describe("InodeRanges", () => {
  it("gives each root a range of its own, and the same one again", () => {
    const ranges = rangesOver(new Map());
    expect(ranges.baseOf(bytes("a"), tree(9n))).toBe(2);
    expect(ranges.baseOf(bytes("b"), file)).toBe(12);
    expect(ranges.baseOf(bytes("c"), tree(0n))).toBe(13);
    expect(ranges.baseOf(bytes("a"), tree(9n))).toBe(2);
    expect(ranges.baseOf(bytes("a"), tree(10n))).toBe(14);
  });

  it("finds the root of every number", () => {
    const roots = new Map([
      ["a", tree(9n)],
      ["b", tree(2n)],
    ]);
    const ranges = rangesOver(roots);
    for (const [name, node] of roots) ranges.baseOf(bytes(name), node);
    expect(ranges.find(1)).toBeUndefined();
    for (let inode = 2; inode <= 11; inode++) expect(ranges.find(inode)).toMatchObject({ base: 2 });
    for (let inode = 12; inode <= 14; inode++) {
      expect(ranges.find(inode)).toMatchObject({ base: 12, node: roots.get("b") });
    }
  });

  it("agrees with every other thread's that shares the log", () => {
    const roots = new Map(Array.from({ length: 5000 }, (_, n) => [`r${n}`, tree(BigInt(n % 7))]));
    const log = new RangeLog();
    const one = rangesOver(roots, log);
    const two = rangesOver(roots, new RangeLog(log.memory));
    const bases = [...roots].map(([name, node], n) =>
      (n % 2 === 0 ? one : two).baseOf(bytes(name), node),
    );
    for (const [n, [name, node]] of [...roots].entries()) {
      expect(one.baseOf(bytes(name), node)).toBe(bases[n]);
      expect(two.baseOf(bytes(name), node)).toBe(bases[n]);
      expect(two.find(bases[n] as number)).toMatchObject({ base: bases[n], node });
    }
  });

  it("knows a number no more once its root is gone or another", () => {
    const roots = new Map([["a", tree(9n)]]);
    const log = new RangeLog();
    const base = rangesOver(roots, log).baseOf(bytes("a"), tree(9n));
    expect(rangesOver(roots, log).find(base + 3)).toMatchObject({ base });
    roots.set("a", tree(8n));
    expect(rangesOver(roots, log).find(base + 3)).toBeUndefined();
    roots.clear();
    expect(rangesOver(roots, log).find(base + 3)).toBeUndefined();
  });

  it("lets a range mean another root, or none, to every thread", () => {
    const roots = new Map([["a", tree(9n)]]);
    const log = new RangeLog();
    const one = rangesOver(roots, log);
    const two = rangesOver(roots, new RangeLog(log.memory));
    const base = one.baseOf(bytes("a"), tree(9n));
    const next = two.baseOf(bytes("b"), file);
    expect(two.find(base + 1)).toMatchObject({ base, node: tree(9n) });
    const same: Node = { type: "directory", digest: B3Digest.of(bytes("other")), size: 9n };
    roots.set("a", same);
    one.rebind(bytes("a"), tree(9n), same);
    for (const ranges of [two, one, rangesOver(roots, log)]) {
      expect(ranges.find(base + 1)).toEqual({ base, node: same });
      expect(ranges.baseOf(bytes("a"), same)).toBe(base);
      expect(ranges.baseOf(bytes("b"), file)).toBe(next);
      expect(ranges.changes).toBe(1);
    }
    two.rebind(bytes("a"), same, undefined);
    for (const ranges of [one, two, rangesOver(roots, log)]) {
      expect(ranges.find(base + 1)).toBeUndefined();
      expect(ranges.rootName(base + 1)).toEqual(new Uint8Array(bytes("a")));
      expect(ranges.baseOf(bytes("a"), same)).toBe(next + 1);
      expect(ranges.changes).toBe(2);
    }
  });

  it("changes nothing about a root that has no numbers", () => {
    const log = new RangeLog();
    const ranges = rangesOver(new Map(), log);
    ranges.rebind(bytes("a"), file, undefined);
    expect([ranges.changes, log.count]).toEqual([0, 0]);
  });

  it("refuses a tree too large to be numbered and goes on", () => {
    const ranges = rangesOver(new Map());
    for (const size of [2n ** 64n - 1n, 2n ** 53n]) {
      expect(() => ranges.baseOf(bytes("huge"), tree(size))).toThrow(
        expect.objectContaining({ code: "limit-exceeded" }),
      );
    }
    expect(ranges.baseOf(bytes("fine"), file)).toBe(2);
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
