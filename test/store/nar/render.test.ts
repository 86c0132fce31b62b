import { createHash } from "node:crypto";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { BlobReader, BlobService } from "../../../src/castore/blob/service.js";
import { B3Digest } from "../../../src/castore/digest.js";
import type { Directory } from "../../../src/castore/directory.js";
import { directoryFrom } from "../../../src/castore/directory-codec.js";
import type { Node } from "../../../src/castore/node.js";
import { renderNar } from "../../../src/store/nar/render.js";
import { DEPTH_MAX } from "../../../src/store/nar/walk.js";
import { NarWriter } from "../../../src/store/nar/writer.js";
import { bytes, collect, noise } from "../../support/bytes.js";
import { NAR_FIXTURES } from "../support/nar-fixtures.js";
import {
  directory,
  file,
  type MemoryServices,
  memoryServices,
  storeTree,
  type Tree,
  treeArbitrary,
  writeTreeAsNar,
} from "../support/tree.js";

async function render(node: Node, services: MemoryServices): Promise<Buffer> {
  return await collect(renderNar(node, services));
}

function narOf(tree: Tree): Buffer {
  const pieces: Uint8Array[] = [];
  const writer = new NarWriter((piece) => pieces.push(piece));
  writeTreeAsNar(tree, writer);
  writer.finish();
  return Buffer.concat(pieces);
}

const absent = B3Digest.of(bytes("absent"));

describe("renderNar()", () => {
  it.each(NAR_FIXTURES)("renders $title", async ({ tree, sha256 }) => {
    const services = memoryServices();
    const nar = await render(await storeTree(tree, services), services);
    expect(createHash("sha256").update(nar).digest("hex")).toBe(sha256);
  });

  it("renders any tree as it would be written directly", async () => {
    await fc.assert(
      fc.asyncProperty(treeArbitrary, async (tree) => {
        const services = memoryServices();
        const node = await storeTree(tree, services);
        expect(await render(node, services)).toEqual(narOf(tree));
      }),
    );
  });

  it("renders large and small files in turn", async () => {
    const tree = directory(
      Object.fromEntries(
        Array.from({ length: 60 }, (_, index) => [
          `f${index}`,
          file(noise(index % 3 === 0 ? 200_000 + index : index, index)),
        ]),
      ),
    );
    const services = memoryServices();
    const node = await storeTree(tree, services);
    expect((await render(node, services)).equals(narOf(tree))).toBe(true);
  });

  it.each([
    ["a small file", 3],
    ["a large file", 1_000_000],
  ])("says which blob is missing and where: %s", async (_title, size) => {
    const services = memoryServices();
    const inner = directoryFrom([
      {
        name: bytes("gone"),
        node: { type: "file", digest: absent, size: BigInt(size), executable: false },
      },
    ]);
    await services.directories.put(inner);
    const root = await storeIn(services, "a", inner);
    await expect(render(root, services)).rejects.toMatchObject({
      code: "dangling-reference",
      message: `Blob ${absent}, "a/gone", is missing from the store`,
    });
  });

  it("says which directory is missing and where", async () => {
    const services = memoryServices();
    const missing: Node = { type: "directory", digest: absent, size: 0n };
    await expect(render(missing, services)).rejects.toMatchObject({
      code: "dangling-reference",
      message: `Directory ${absent}, the root, is missing from the store`,
    });
    const inner = directoryFrom([{ name: bytes("b\n"), node: missing }]);
    await services.directories.put(inner);
    await expect(render(await storeIn(services, "a", inner), services)).rejects.toMatchObject({
      code: "dangling-reference",
      message: `Directory ${absent}, "a/b\\x0a", is missing from the store`,
    });
  });

  it.each([2n, 42n, 2n ** 60n])("refuses a blob of 12 bytes whose node says %d", async (size) => {
    const services = memoryServices();
    const node = await storeTree(file("Hello World!"), services);
    await expect(render({ ...node, size } as Node, services)).rejects.toMatchObject({
      code: "corrupt",
      message: expect.stringContaining(`has 12 bytes, its node says ${size}`),
    });
  });

  it.each([
    ["fewer", 10, 10, 9],
    ["more", 10, 10, 11],
    ["fewer, large", 1_000_000, 1_000_000, 999_999],
    ["more, large", 1_000_000, 1_000_000, 1_000_001],
    ["the right number of bytes, but says another", 10, 11, 10],
  ])("refuses a blob that streams %s", async (_title, size, says, streams) => {
    const services = memoryServices();
    services.blobs.openRead = async (): Promise<BlobReader> => ({
      size: says,
      read: async () => new Uint8Array(0),
      stream: async function* () {
        yield new Uint8Array(streams);
      },
      [Symbol.asyncDispose]: async () => {},
    });
    const node: Node = { type: "file", digest: absent, size: BigInt(size), executable: false };
    await expect(render(node, services)).rejects.toMatchObject({ code: "corrupt" });
  });

  describe("of contents that are at hand", () => {
    /** Gives small contents in one piece of memory, which the next call overwrites. */
    function residentServices(): MemoryServices {
      const services = memoryServices();
      const contents = new Map<string, Buffer>();
      const memory = Buffer.alloc(70_000);
      (services.blobs as BlobService).getResident = (digest) => {
        const content = contents.get(digest.hex);
        if (content === undefined) return undefined;
        content.copy(memory.fill(0));
        return memory.subarray(0, content.length);
      };
      const { openWrite, openRead } = services.blobs;
      services.blobs.openWrite = async () => {
        const writer = await openWrite.call(services.blobs);
        const parts: Buffer[] = [];
        return {
          write: async (part) => void parts.push(Buffer.from(part)),
          close: async () => {
            const content = Buffer.concat(parts);
            await writer.write(content);
            const stored = await writer.close();
            if (content.length <= 65_536) contents.set(stored.digest.hex, content);
            return stored;
          },
          [Symbol.asyncDispose]: () => writer[Symbol.asyncDispose](),
        };
      };
      services.blobs.openRead = async (digest) => {
        if (contents.has(digest.hex)) throw new Error("There was no need to open it");
        return await openRead.call(services.blobs, digest);
      };
      return services;
    }

    it("copies them, whatever their size", async () => {
      const sizes = [0, 1, 8, 16_383, 16_384, 40_000, 65_535, 65_536, 65_537, 131_072, 200_000];
      const tree = directory(
        Object.fromEntries(
          Array.from({ length: 44 }, (_, index) => [
            `f${index}`,
            file(noise(sizes[index % sizes.length] as number, index)),
          ]),
        ),
      );
      const services = residentServices();
      const node = await storeTree(tree, services);
      expect((await render(node, services)).equals(narOf(tree))).toBe(true);
    });

    it("refuses those whose node says another size", async () => {
      const services = residentServices();
      const node = await storeTree(file("Hello World!"), services);
      await expect(render({ ...node, size: 11n } as Node, services)).rejects.toMatchObject({
        code: "corrupt",
        message: expect.stringContaining("has 12 bytes, its node says 11"),
      });
    });
  });

  it("bounds how deep directories lie inside each other", async () => {
    const services = memoryServices();
    let inner = directoryFrom([]);
    await services.directories.put(inner);
    for (let depth = 1; depth < DEPTH_MAX; depth++) {
      inner = directoryFrom([{ name: bytes("d"), node: nodeOf(inner) }]);
      await services.directories.put(inner);
    }
    const deepest = await render(nodeOf(inner), services);
    expect(deepest.length).toBeGreaterThan(DEPTH_MAX * 100);
    const tooDeep = await storeIn(services, "d", inner);
    await expect(render(tooDeep, services)).rejects.toMatchObject({ code: "limit-exceeded" });
  });

  it("closes every blob it opened when its reader leaves early", async () => {
    const services = memoryServices();
    const node = await storeTree(
      directory({ a: file(noise(500_000)), b: file("b"), c: file(noise(500_000, 2)) }),
      services,
    );
    let open = 0;
    const openRead = services.blobs.openRead.bind(services.blobs);
    services.blobs.openRead = async (digest) => {
      const reader = await openRead(digest);
      if (reader === undefined) return undefined;
      open++;
      return {
        size: reader.size,
        read: (offset, length) => reader.read(offset, length),
        stream: (range) => reader.stream(range),
        [Symbol.asyncDispose]: async () => {
          open--;
        },
      };
    };
    for await (const piece of renderNar(node, services)) {
      if (piece.length > 100_000) break;
    }
    expect(open).toBe(0);
  });

  it("hands a tree of empty directories out in pieces", async () => {
    const services = memoryServices();
    const entries = Array.from({ length: 5_000 }, (_, i): [string, Tree] => [
      `${i}`,
      directory({}),
    ]);
    const node = await storeTree(directory(Object.fromEntries(entries)), services);
    const pieces: number[] = [];
    for await (const piece of renderNar(node, services)) pieces.push(piece.length);
    expect(pieces.length).toBeGreaterThan(5);
  });
});

function nodeOf({ digest, size }: Directory): Node {
  return { type: "directory", digest, size };
}

/** Stores a directory that holds `inner` under `name`. */
async function storeIn(services: MemoryServices, name: string, inner: Directory): Promise<Node> {
  const outer = directoryFrom([{ name: bytes(name), node: nodeOf(inner) }]);
  await services.directories.put(outer);
  return nodeOf(outer);
}
