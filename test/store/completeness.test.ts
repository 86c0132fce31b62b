import { describe, expect, it } from "vitest";
import { MemoryBlobService } from "../../src/castore/blob/memory.js";
import { B3Digest } from "../../src/castore/digest.js";
import { findMissing } from "../../src/store/completeness.js";
import { bytes } from "../support/bytes.js";
import { directory, file, memoryServices, storeTree, symlink } from "./support/tree.js";

const tree = directory({
  a: file("one"),
  b: directory({ c: file("two"), d: file("one"), e: symlink("nowhere") }),
});

describe("findMissing()", () => {
  it.each([tree, file("alone"), symlink("anywhere"), directory({})])(
    "finds nothing missing in what is complete",
    async (complete) => {
      const services = memoryServices();
      const node = await storeTree(complete, services);
      expect(await findMissing(node, services)).toBeUndefined();
    },
  );

  it("names a blob that is missing, and asks for each once", async () => {
    const services = memoryServices();
    const node = await storeTree(tree, services);
    const asked: string[] = [];
    const blobs = Object.assign(new MemoryBlobService(), {
      has: async (digest: B3Digest) => {
        asked.push(digest.hex);
        return !digest.equals(B3Digest.of(bytes("two")));
      },
    });
    expect(await findMissing(node, { ...services, blobs })).toContain(
      B3Digest.of(bytes("two")).toString(),
    );
    expect(new Set(asked).size).toBe(asked.length);
  });

  it("names a directory that is missing, at the root and below it", async () => {
    const services = memoryServices();
    const node = await storeTree(tree, services);
    const nothing = memoryServices();
    if (node.type !== "directory") throw new Error("no directory");
    expect(await findMissing(node, nothing)).toContain(node.digest.toString());
    const root = await services.directories.get(node.digest);
    if (root === undefined) throw new Error("no root");
    await nothing.directories.put(root);
    const child = root.node(1);
    if (child.type !== "directory") throw new Error("no directory");
    const found = await findMissing(node, { ...services, directories: nothing.directories });
    expect(found).toContain(child.digest.toString());
  });

  it("stops when it is told to", async () => {
    const services = memoryServices();
    const node = await storeTree(tree, services);
    const signal = AbortSignal.abort(new Error("enough"));
    await expect(findMissing(node, services, { signal })).rejects.toThrow("enough");
  });
});
