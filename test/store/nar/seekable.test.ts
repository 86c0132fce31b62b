import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { B3Digest } from "../../../src/castore/digest.js";
import { directoryFrom } from "../../../src/castore/directory-codec.js";
import type { Node } from "../../../src/castore/node.js";
import { SeekableNar } from "../../../src/store/nar/seekable.js";
import { bytes, collect, noise } from "../../support/bytes.js";
import { randomFrom } from "../../support/random.js";
import { StepCounts, WatchedBlobService } from "../../support/watched-services.js";
import { NAR_FIXTURES } from "../support/nar-fixtures.js";
import {
  directory,
  file,
  memoryServices,
  storeTree,
  symlink,
  type Tree,
  treeArbitrary,
} from "../support/tree.js";
import { narOf } from "./support/nar.js";

const RANGES = 10_000;

const SAMPLE = directory({
  a: file(noise(200_001), true),
  b: directory({
    c: symlink("../a"),
    d: directory({}),
    many: directory(
      Object.fromEntries(
        Array.from({ length: 200 }, (_, n): [string, Tree] => [`${n}`, file(noise(n * 7, n + 1))]),
      ),
    ),
  }),
  twin: directory({ c: symlink("../a"), d: directory({}) }),
  "twin again": directory({ c: symlink("../a"), d: directory({}) }),
  z: file("last"),
});

async function open(tree: Tree) {
  const services = memoryServices();
  return await SeekableNar.open(await storeTree(tree, services), services);
}

describe("SeekableNar", () => {
  it.each(NAR_FIXTURES)("knows how long $title is, and gives it", async ({ tree, length }) => {
    const seekable = await open(tree);
    expect(seekable.size).toBe(length);
    expect(await collect(seekable.stream({ start: 0, end: length }))).toEqual(narOf(tree));
  });

  it("gives what slicing the whole would, at every offset of small trees", async () => {
    await fc.assert(
      fc.asyncProperty(treeArbitrary, fc.nat(), async (tree, length) => {
        const nar = narOf(tree);
        const seekable = await open(tree);
        expect(seekable.size).toBe(nar.length);
        for (let start = 0; start <= nar.length; start += 1 + (length % 13)) {
          const end = start + (length % (nar.length + 9));
          const part = await collect(seekable.stream({ start, end }));
          expect(part.equals(nar.subarray(start, end))).toBe(true);
        }
      }),
      { numRuns: 30 },
    );
  });

  it(`gives what slicing the whole would, at ${RANGES} random ranges`, async () => {
    const seed = Date.now() % 2 ** 32;
    console.log(`seed ${seed}`);
    const random = randomFrom(seed);
    const nar = narOf(SAMPLE);
    const seekable = await open(SAMPLE);
    expect(seekable.size).toBe(nar.length);
    for (let count = 0; count < RANGES; count++) {
      const start = Math.floor(random() * nar.length);
      // Short and long ones alike.
      const end = start + Math.floor(random() ** 4 * (nar.length - start + 2));
      const part = await collect(seekable.stream({ start, end }));
      if (!part.equals(nar.subarray(start, end))) {
        throw new Error(`Bytes ${start} to ${end} differ, seed ${seed}`);
      }
    }
  });

  it("gives nothing beyond the end, and nothing for an empty range", async () => {
    const seekable = await open(SAMPLE);
    const { size } = seekable;
    for (const range of [
      { start: size, end: size + 10 },
      { start: size + 5, end: size + 10 },
      { start: 7, end: 7 },
      { start: 9, end: 3 },
    ]) {
      expect(await collect(seekable.stream(range))).toHaveLength(0);
    }
  });

  it("opens no blob to open, and only those of the range to read", async () => {
    const { blobs, directories } = memoryServices();
    const counts = new StepCounts();
    const services = { blobs: new WatchedBlobService(blobs, counts.hook), directories };
    const seekable = await SeekableNar.open(await storeTree(SAMPLE, services), services);
    expect(counts.of("openRead")).toBe(0);
    await collect(seekable.stream({ start: seekable.size - 200, end: seekable.size }));
    expect(counts.of("openRead")).toBe(1);
  });

  it("reads equal folders once when it is opened", async () => {
    const services = memoryServices();
    let shared = directoryFrom([]);
    await services.directories.put(shared);
    for (let level = 0; level < 40; level++) {
      const node: Node = { type: "directory", digest: shared.digest, size: shared.size };
      shared = directoryFrom([
        { name: bytes("a"), node },
        { name: bytes("b"), node },
      ]);
      await services.directories.put(shared);
    }
    const root: Node = { type: "directory", digest: shared.digest, size: shared.size };
    const seekable = await SeekableNar.open(root, services);
    expect(seekable.size).toBeGreaterThan(2 ** 40);
    const middle = Math.floor(seekable.size / 16) * 8;
    const part = await collect(seekable.stream({ start: middle, end: middle + 4096 }));
    expect(part).toHaveLength(4096);
    expect(part.includes("entry")).toBe(true);
  });

  it("refuses what is longer than can be counted, and says what is missing", async () => {
    const services = memoryServices();
    const digest = B3Digest.of(bytes("absent"));
    const huge: Node = { type: "file", digest, size: 2n ** 60n, executable: false };
    await expect(SeekableNar.open(huge, services)).rejects.toMatchObject({
      code: "limit-exceeded",
    });
    await expect(
      SeekableNar.open({ type: "directory", digest, size: 0n }, services),
    ).rejects.toMatchObject({ code: "dangling-reference" });
  });

  it("refuses a blob that is not as long as its node says, also in part", async () => {
    const services = memoryServices();
    const node = await storeTree(file(noise(1000)), services);
    const seekable = await SeekableNar.open({ ...node, size: 1001n } as Node, services);
    await expect(collect(seekable.stream({ start: 100, end: 110 }))).rejects.toMatchObject({
      code: "corrupt",
    });
  });
});
