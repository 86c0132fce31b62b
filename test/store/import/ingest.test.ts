import { mkdirSync, mkdtempSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { toHex } from "../../../src/base/bytes.js";
import { StoreError } from "../../../src/base/errors.js";
import type { BlobService } from "../../../src/castore/blob/service.js";
import { countTree } from "../../../src/store/import/count-tree.js";
import { importTree } from "../../../src/store/import/import-tree.js";
import { type ImportProgress, ingestTree } from "../../../src/store/import/ingest.js";
import { renderNar } from "../../../src/store/nar/render.js";
import { MemoryPathInfoService } from "../../../src/store/path-info/memory.js";
import { bytes, collect, noise } from "../../support/bytes.js";
import { temporaryFolder } from "../../support/temp.js";
import { DIRECTORY } from "../../vectors/directories.js";
import { NAR_FIXTURES } from "../support/nar-fixtures.js";
import { memoryServices, writeTreeToDisk } from "../support/tree.js";

const folder = temporaryFolder();
const newPath = () => join(mkdtempSync(join(folder, "case-")), "tree");

/** A tree of `count` files in folders of ten. */
function manyFiles(count: number): string {
  const root = newPath();
  for (let index = 0; index < count; index++) {
    const parent = join(root, `${Math.floor(index / 10)}`);
    if (index % 10 === 0) mkdirSync(parent, { recursive: true });
    writeFileSync(join(parent, `${index}`), noise(100, index + 1));
  }
  return root;
}

describe("ingestTree()", () => {
  it.each(NAR_FIXTURES)("agrees with the fixture: $title", async ({ tree, length, sha256 }) => {
    const path = bytes(newPath());
    writeTreeToDisk(tree, path);
    const services = memoryServices();
    const { node, narSize, narSha256 } = await ingestTree(path, services);
    expect([narSize, toHex(narSha256)]).toEqual([BigInt(length), sha256]);
    const nar = await collect(renderNar(node, services));
    expect(nar).toHaveLength(length);
  });

  it("gives the complicated tree the published digest and the documented size", async () => {
    const path = bytes(newPath());
    const fixture = NAR_FIXTURES.find(({ name }) => name === "complicated");
    writeTreeToDisk(fixture?.tree as NonNullable<typeof fixture>["tree"], path);
    const { node } = await ingestTree(path, memoryServices());
    const { digest, size } = DIRECTORY.complicated;
    expect(node).toMatchObject({ type: "directory", size });
    expect(node.type === "directory" && node.digest.hex).toBe(digest.hex);
  });

  it("stores everything below the node it returns", async () => {
    const services = memoryServices();
    const { node, narSize } = await ingestTree(bytes(manyFiles(95)), services);
    if (node.type !== "directory") throw new Error("It is a folder");
    const found = [];
    for await (const directory of services.directories.getRecursive(node.digest)) {
      found.push(directory);
    }
    expect(found).toHaveLength(11);
    expect(BigInt((await collect(renderNar(node, services))).length)).toBe(narSize);
  });

  it("reads files of any size, in pieces", async () => {
    for (const size of [0, 1, 1_048_575, 1_048_576, 1_048_577, 3_000_000]) {
      const path = newPath();
      writeFileSync(path, noise(size));
      const services = memoryServices();
      const { node } = await ingestTree(bytes(path), services);
      expect(node).toMatchObject({ type: "file", size: BigInt(size), executable: false });
      const nar = await collect(renderNar(node, services));
      expect(nar.subarray(96, 96 + size).equals(noise(size))).toBe(true);
    }
  });

  it("gives the event loop its turns although nothing has to be waited for", async () => {
    const path = bytes(manyFiles(500));
    let turns = 0;
    let isOver = false;
    const count = () => {
      turns++;
      if (!isOver) setImmediate(count);
    };
    setImmediate(count);
    await ingestTree(path, memoryServices());
    isOver = true;
    expect(turns).toBeGreaterThan(10);
  });

  it("counts up to what countTree() says", async () => {
    const path = bytes(manyFiles(42));
    const seen: ImportProgress[] = [];
    await ingestTree(path, memoryServices(), (progress) => seen.push(progress));
    expect(seen.at(-1)).toEqual({ entries: 42 + 5 + 1, bytes: 4200 });
    expect(await countTree(path)).toEqual(seen.at(-1));
    const entries = seen.map((progress) => progress.entries);
    expect(entries).toEqual(entries.toSorted((a, b) => a - b));
  });

  it.each([1, 7, 30])("fails with the error of blob %d, and waits for the others", async (nth) => {
    const services = memoryServices();
    let started = 0;
    let under = 0;
    const failing: BlobService = {
      has: (digest) => services.blobs.has(digest),
      openRead: (digest) => services.blobs.openRead(digest),
      chunks: (digest) => services.blobs.chunks(digest),
      openWrite: async () => {
        const writer = await services.blobs.openWrite();
        const number = ++started;
        return {
          write: (part) => writer.write(part),
          close: async () => {
            under++;
            await new Promise((resolve) => setTimeout(resolve, 5));
            under--;
            if (number === nth) throw new StoreError("unavailable", "the disk is on fire");
            return await writer.close();
          },
          [Symbol.asyncDispose]: async () => {},
        };
      },
    };
    await expect(
      ingestTree(bytes(manyFiles(30)), { ...services, blobs: failing }),
    ).rejects.toMatchObject({ message: "the disk is on fire" });
    expect(under).toBe(0);
  });
});

describe("importTree()", () => {
  it.each(NAR_FIXTURES)("gives the store path of Nix: $name", async ({ tree, name, hash }) => {
    const path = bytes(newPath());
    writeTreeToDisk(tree, path);
    const pathInfos = new MemoryPathInfoService();
    const pathInfo = await importTree(path, name, { ...memoryServices(), pathInfos });
    expect(pathInfo.storePath.toString()).toBe(`/nix/store/${hash}-${name}`);
    expect(pathInfo.ca).toMatchObject({ method: "nar", algorithm: "sha256" });
    expect(await pathInfos.get(pathInfo.storePath.hash)).toEqual(pathInfo);
  });

  it("stores no path info when the tree cannot be read", async () => {
    const pathInfos = new MemoryPathInfoService();
    const run = importTree(bytes(join(folder, "absent")), "x", { ...memoryServices(), pathInfos });
    await expect(run).rejects.toMatchObject({ code: "not-found" });
    for await (const pathInfo of pathInfos.list())
      throw new Error(`${pathInfo.storePath} is there`);
  });
});

describe("countTree()", () => {
  it("counts files, folders and links, and the bytes of files", async () => {
    const path = bytes(newPath());
    const fixture = NAR_FIXTURES.find(({ name }) => name === "complicated");
    writeTreeToDisk(fixture?.tree as NonNullable<typeof fixture>["tree"], path);
    expect(await countTree(path)).toEqual({ entries: 5, bytes: 0 });
    writeFileSync(`${path}/large`, noise(12_345));
    expect(await countTree(path)).toEqual({ entries: 6, bytes: 12_345 });
  });

  it("fails as the import would", async () => {
    await expect(countTree(bytes("/dev/null"))).rejects.toMatchObject({ code: "invalid-argument" });
  });
});
