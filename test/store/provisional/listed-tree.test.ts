import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { B3Digest } from "../../../src/castore/digest.js";
import type { Node } from "../../../src/castore/node.js";
import { listNar } from "../../../src/store/nar/listing.js";
import { findDifference } from "../../../src/store/provisional/difference.js";
import { type ListedTree, readListing } from "../../../src/store/provisional/listed-tree.js";
import {
  makeUpDigest,
  markIn,
  markOf,
  placeIn,
} from "../../../src/store/provisional/made-up-digest.js";
import { StorePath } from "../../../src/store/store-path.js";
import { narOf } from "../nar/support/nar.js";
import {
  directory,
  file,
  isText,
  memoryServices,
  storeTree,
  symlink,
  type Tree,
  treeArbitrary,
} from "../support/tree.js";

const MARK = markOf({
  storePath: StorePath.parse("0123456789abcdfghijklmnpqrsvwxyz-hello"),
  narSha256: Buffer.alloc(32, 7),
});

function parse(listing: string): ListedTree {
  return readListing(Buffer.from(listing), (place) => makeUpDigest(MARK, place));
}

async function listingOf(tree: Tree): Promise<string> {
  const services = memoryServices();
  const node = await storeTree(tree, services);
  let text = "";
  for await (const piece of listNar(node, services.directories)) text += piece;
  return text;
}

/** What is different about `tree` from what `listing` says. */
async function difference(listing: string, tree: Tree, shown?: B3Digest) {
  const services = memoryServices();
  const node = await storeTree(tree, services);
  return await findDifference(parse(listing), node, services.directories, () => shown);
}

/** The files of a listed tree, with where they lie. */
function* filesOf(tree: ListedTree, node: Node = tree.root): Generator<Node & { type: "file" }> {
  if (node.type === "file") yield node;
  if (node.type !== "directory") return;
  for (const entry of tree.directories.get(node.digest.hex)?.entries() ?? []) {
    yield* filesOf(tree, entry.node);
  }
}

describe("readListing()", () => {
  it("finds the shape of any tree, the length of its NAR, and its contents in there", async () => {
    await fc.assert(
      fc.asyncProperty(treeArbitrary.filter(isText), async (tree) => {
        const listing = await listingOf(tree);
        const nar = narOf(tree);
        const listed = parse(listing);
        expect(listed.narSize).toBe(nar.length);
        expect(await difference(listing, tree)).toBeUndefined();
        const services = memoryServices();
        const node = await storeTree(tree, services);
        expect(listed.root.type === "directory" && listed.root.size).toBe(
          node.type === "directory" && node.size,
        );
        for (const { digest } of filesOf(listed)) {
          expect(markIn(digest)).toBe(MARK.toString("hex"));
          const { offset, size } = placeIn(digest);
          const blob = B3Digest.of(nar.subarray(offset, offset + size));
          expect(await services.blobs.has(blob)).toBe(true);
        }
      }),
      { numRuns: 100 },
    );
  });

  const file4 = '{"type":"regular","size":4,"narOffset":96}';
  it.each([
    ["no JSON", "{"],
    ["bytes that are no text", "\xff"],
    ["another version", `{"version":2,"root":${file4}}`],
    ["no root", '{"version":1}'],
    ["a list", "[]"],
    ["an unknown type", '{"version":1,"root":{"type":"fifo"}}'],
    ["a negative size", '{"version":1,"root":{"type":"regular","size":-1}}'],
    ["a size that is none", '{"version":1,"root":{"type":"regular","size":1.5}}'],
    ["a size beyond all", '{"version":1,"root":{"type":"regular","size":9007199254740991}}'],
    [
      "an executable in its own way",
      '{"version":1,"root":{"type":"regular","size":1,"executable":1}}',
    ],
    ["a wrong offset", '{"version":1,"root":{"type":"regular","size":4,"narOffset":104}}'],
    ["no entries", '{"version":1,"root":{"type":"directory"}}'],
    ["entries in a list", '{"version":1,"root":{"type":"directory","entries":[]}}'],
    [
      "a name with a slash",
      `{"version":1,"root":{"type":"directory","entries":{"a/b":{"type":"symlink","target":"x"}}}}`,
    ],
    [
      "the name ..",
      `{"version":1,"root":{"type":"directory","entries":{"..":{"type":"symlink","target":"x"}}}}`,
    ],
    ["an empty target", '{"version":1,"root":{"type":"symlink","target":""}}'],
    ["no target", '{"version":1,"root":{"type":"symlink"}}'],
    [
      "an endless chain",
      `{"version":1,"root":${'{"type":"directory","entries":{"a":'.repeat(10_000)}${file4}${"}}".repeat(10_000)}}`,
    ],
  ])("refuses %s", (_title, listing) => {
    const bytes = Buffer.from(listing, "latin1");
    expect(() => readListing(bytes, (place) => makeUpDigest(MARK, place))).toThrow(
      expect.objectContaining({ code: "invalid-argument" }),
    );
  });

  it("takes a listing without offsets", () => {
    const listed = parse(`{"version":1,"root":${file4}}`);
    expect(parse('{"version":1,"root":{"type":"regular","size":4}}')).toEqual(listed);
  });
});

describe("findDifference()", () => {
  const a = file("12345678");
  const tree = directory({
    a,
    d: directory({ x: file("x", true), y: symlink("../a") }),
    e: symlink("a"),
  });

  it.each<[string, Tree, string]>([
    ["a size", directory({ a: file("1234567") }), '"a": it is listed with 8 bytes, but has 7'],
    ["an executable bit", directory({ a: file("12345678", true) }), '"a": it is executable'],
    [
      "a type",
      directory({ a: symlink("12345678") }),
      '"a": it is listed as a file, but is a symlink',
    ],
    [
      "a missing entry",
      directory({ a, d: directory({ x: file("x", true) }) }),
      '"d/y" is listed, but not there',
    ],
    ["an extra entry", directory({ a, b: file(""), d: directory({}) }), '"b" is not listed'],
    [
      "an extra entry at the end of a folder",
      directory({ a, d: directory({ x: file("x", true), y: symlink("../a"), z: file("") }) }),
      '"d/z" is not listed',
    ],
    [
      "a target",
      directory({ a, d: directory({ x: file("x", true), y: symlink("../b") }) }),
      '"d/y": it is listed with the target "../a", but has "../b"',
    ],
    [
      "an end that is missing",
      directory({ a, d: directory({ x: file("x", true), y: symlink("../a") }) }),
      '"e" is listed, but not there',
    ],
    [
      "a root of another kind",
      symlink("x"),
      "the root: it is listed as a directory, but is a symlink",
    ],
  ])("names the path of %s", async (_title, found, message) => {
    expect(await difference(await listingOf(tree), found)).toBe(message);
  });

  it("compares what was shown of a file with what it is", async () => {
    const shown = B3Digest.of(Buffer.from("87654321"));
    expect(await difference(await listingOf(a), a, shown)).toBe(
      "the root: its content is not what was sent for it before",
    );
    expect(await difference(await listingOf(a), a, B3Digest.of(Buffer.from("12345678")))).toBe(
      undefined,
    );
  });
});
