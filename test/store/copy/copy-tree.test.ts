import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { MemoryBlobService } from "../../../src/castore/blob/memory.js";
import { putBlob } from "../../../src/castore/blob/service.js";
import { B3Digest } from "../../../src/castore/digest.js";
import type { FileNode } from "../../../src/castore/node.js";
import { findMissing } from "../../../src/store/completeness.js";
import { BlobCopier } from "../../../src/store/copy/blob-copier.js";
import { copyTree } from "../../../src/store/copy/copy-tree.js";
import { directory, file, memoryServices, storeTree, treeArbitrary } from "../support/tree.js";

const options = () => ({
  copier: new BlobCopier(),
  signal: new AbortController().signal,
  onBytes: () => {},
});

describe("copyTree()", () => {
  it("makes any tree complete", async () => {
    await fc.assert(
      fc.asyncProperty(treeArbitrary, async (tree) => {
        const from = memoryServices();
        const to = memoryServices();
        const node = await storeTree(tree, from);
        await copyTree(node, from, to, options());
        expect(await findMissing(node, to)).toBeUndefined();
      }),
      { numRuns: 100 },
    );
  });

  it("copes with a folder that is found at several depths", async () => {
    const leaf = directory({ deep: directory({ file: file("x") }) });
    const tree = directory({ a: leaf, b: directory({ c: directory({ d: leaf }) }), z: leaf });
    const from = memoryServices();
    const to = memoryServices();
    const node = await storeTree(tree, from);
    expect(await copyTree(node, from, to, options())).toEqual({ blobs: 1, bytes: 1 });
    expect(await findMissing(node, to)).toBeUndefined();
  });

  it("stores no folder when a blob is missing from the source", async () => {
    const from = memoryServices();
    const to = memoryServices();
    const node = await storeTree(directory({ file: file("x") }), from);
    await expect(
      copyTree(node, { ...from, blobs: new MemoryBlobService() }, to, options()),
    ).rejects.toMatchObject({ code: "dangling-reference" });
    if (node.type !== "directory") throw new Error("it is a folder");
    expect(await to.directories.get(node.digest)).toBeUndefined();
  });

  it("says so when the source has no such folder", async () => {
    const node = { type: "directory", digest: B3Digest.of(Buffer.from("x")), size: 0n } as const;
    await expect(
      copyTree(node, memoryServices(), memoryServices(), options()),
    ).rejects.toMatchObject({ code: "dangling-reference" });
  });
});

describe("BlobCopier", () => {
  async function store(content: string, executable = false) {
    const from = new MemoryBlobService();
    const { digest, size } = await putBlob(from, Buffer.from(content));
    const node: FileNode = { type: "file", digest, size: BigInt(size), executable };
    return { from, node };
  }

  it("moves a blob once that several trees ask for at the same time", async () => {
    const { from, node } = await store("shared");
    const to = new MemoryBlobService();
    const copier = new BlobCopier();
    const copy = () => copier.copy(node, { from, to }, {}, () => {});
    const moved = await Promise.all([copy(), copy(), copy()]);
    expect(moved.filter(Boolean)).toHaveLength(1);
    expect(await copy()).toBe(false);
  });

  it("refuses a blob that is not as long as its node says", async () => {
    const { from, node } = await store("content");
    const copying = new BlobCopier().copy(
      { ...node, size: 3n },
      { from, to: new MemoryBlobService() },
      {},
      () => {},
    );
    await expect(copying).rejects.toMatchObject({ code: "corrupt" });
  });

  it("takes blobs that are larger than what may be under way", async () => {
    const from = new MemoryBlobService();
    const to = new MemoryBlobService();
    const copier = new BlobCopier();
    const contents = [1, 2, 3].map((seed) => Buffer.alloc(17 * 1024 * 1024, seed));
    const copies = contents.map(async (content) => {
      const { digest, size } = await putBlob(from, content);
      const node: FileNode = { type: "file", digest, size: BigInt(size), executable: false };
      return await copier.copy(node, { from, to }, {}, () => {});
    });
    expect(await Promise.all(copies)).toEqual([true, true, true]);
  });
});
