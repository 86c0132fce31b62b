import { createHash } from "node:crypto";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { StoreError } from "../../../src/base/errors.js";
import { putBlob } from "../../../src/castore/blob/service.js";
import { LocalStore } from "../../../src/castore/local/store.js";
import { importNar } from "../../../src/store/import/import-nar.js";
import { ingestNar } from "../../../src/store/nar/ingest.js";
import { renderNar } from "../../../src/store/nar/render.js";
import { MemoryPathInfoService } from "../../../src/store/path-info/memory.js";
import { collect, noise } from "../../support/bytes.js";
import { temporaryFolder } from "../../support/temp.js";
import {
  failFrom,
  OUTAGE,
  type Step,
  WatchedBlobService,
  WatchedDirectoryService,
} from "../../support/watched-services.js";
import { NAR_FIXTURES } from "../support/nar-fixtures.js";
import {
  directory,
  file,
  memoryServices,
  storeTree,
  symlink,
  treeArbitrary,
} from "../support/tree.js";
import { MALFORMED_NARS } from "./support/malformed.js";
import { cutAt, narOf } from "./support/nar.js";

const SAMPLE = narOf(
  directory({
    a: file(noise(300_000)),
    b: directory({ c: symlink("../a"), d: file("small", true) }),
    e: file("small"),
  }),
);

async function* asSource(chunks: Iterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  yield* chunks;
}

/** Pieces whose memory is written over as soon as `keptBytes` have come after them. */
async function* usedAgain(
  bytes: Buffer,
  pieceBytes: number,
  keptBytes: number,
): AsyncGenerator<Uint8Array> {
  const given: Buffer[] = [];
  for (let at = 0; at < bytes.length; at += pieceBytes) {
    const piece = Buffer.from(bytes.subarray(at, at + pieceBytes));
    given.push(piece);
    if (given.length * pieceBytes > keptBytes + pieceBytes) given.shift()?.fill(0xaa);
    yield piece;
  }
}

/** Services in memory that take small blobs as a whole; `onSmall` may fail. */
function takingSmallBlobs(onSmall: () => void = () => {}) {
  const { blobs, directories } = memoryServices();
  const putSmall = async (content: Uint8Array) => {
    const storing = putBlob(blobs, Buffer.from(content));
    onSmall();
    return await storing;
  };
  return { blobs: Object.assign(blobs, { putSmall }), directories };
}

describe("ingestNar()", () => {
  it.each(NAR_FIXTURES)("finds the published hash of $title", async ({ tree, length, sha256 }) => {
    const services = memoryServices();
    const { node, narSha256, narSize } = await ingestNar([narOf(tree)], services);
    expect([Buffer.from(narSha256).toString("hex"), narSize]).toEqual([sha256, BigInt(length)]);
    expect(node).toEqual(await storeTree(tree, memoryServices()));
  });

  it("stores any tree, however its NAR is cut, as importing the tree itself would", async () => {
    await fc.assert(
      fc.asyncProperty(treeArbitrary, fc.array(fc.nat(), { maxLength: 20 }), async (tree, cuts) => {
        const nar = narOf(tree);
        for (const services of [memoryServices(), takingSmallBlobs()]) {
          const { node, narSha256 } = await ingestNar(cutAt(nar, cuts), services);
          expect(node).toEqual(await storeTree(tree, memoryServices()));
          expect(Buffer.from(narSha256)).toEqual(createHash("sha256").update(nar).digest());
          expect((await collect(renderNar(node, services))).equals(nar)).toBe(true);
        }
      }),
      { numRuns: 60 },
    );
  });

  it("is done with a piece once 512 KiB more have come", async () => {
    const large = narOf(
      directory({
        a: file(noise(3_000_000)),
        b: directory({ ["n".repeat(255)]: symlink("t".repeat(4095)), d: file("small", true) }),
        c: file(noise(700_000, 2)),
      }),
    );
    await using store = await LocalStore.open(temporaryFolder());
    for (const services of [memoryServices(), store]) {
      for (const pieceBytes of [1000, 5000, 256 * 1024]) {
        const { node } = await ingestNar(usedAgain(large, pieceBytes, 512 * 1024), services);
        expect((await collect(renderNar(node, services))).equals(large)).toBe(true);
      }
    }
  });

  it.each(MALFORMED_NARS)("refuses $title, and no path info appears", async ({ nar }) => {
    const pathInfos = new MemoryPathInfoService();
    const before = process.memoryUsage().rss;
    await expect(
      importNar(asSource([nar]), "name", { ...memoryServices(), pathInfos }),
    ).rejects.toMatchObject({
      code: "invalid-argument",
      message: expect.stringMatching(/^Invalid NAR: at byte \d+: /),
    });
    expect(process.memoryUsage().rss - before).toBeLessThan(100e6);
    for await (const _ of pathInfos.list()) throw new Error("A path info was stored");
  });

  it("gives up what it has begun to upload when it fails", async () => {
    const { blobs, directories } = memoryServices();
    const steps: Step[] = [];
    const watched = new WatchedDirectoryService(directories, (step) => void steps.push(step));
    const broken = SAMPLE.subarray(0, -100);
    await expect(ingestNar([broken], { blobs, directories: watched })).rejects.toMatchObject({
      code: "invalid-argument",
    });
    expect(steps).toEqual(["put", "dispose"]);
  });

  it("refuses a NAR that is longer than it may be, before a file that would not fit", async () => {
    const services = memoryServices();
    await ingestNar([SAMPLE], services, { narSizeMax: SAMPLE.length });
    await expect(
      ingestNar([SAMPLE], services, { narSizeMax: SAMPLE.length - 1 }),
    ).rejects.toMatchObject({ code: "invalid-argument" });
    let pulled = 0;
    const source = async function* () {
      for (const chunk of cutAt(SAMPLE, [1000, 2000, 3000])) {
        pulled++;
        yield chunk;
      }
    };
    await expect(ingestNar(source(), services, { narSizeMax: 5000 })).rejects.toMatchObject({
      message: expect.stringContaining("a file of 300000 bytes makes the NAR longer than 5000"),
    });
    expect(pulled).toBe(1);
  });

  it.each<[Step, number]>([
    ["openWrite", 1],
    ["write", 1],
    ["close", 2],
    ["put", 1],
    ["put", 2],
  ])("fails with what fails in the store: %s, call %d", async (step, nth) => {
    const { blobs, directories } = memoryServices();
    const pathInfos = new MemoryPathInfoService();
    const hook = failFrom(step, nth);
    let closed = false;
    const source = async function* () {
      try {
        yield* cutAt(SAMPLE, [1000, 200_000]);
      } finally {
        closed = true;
      }
    };
    const targets = {
      blobs: new WatchedBlobService(blobs, hook),
      directories: new WatchedDirectoryService(directories, hook),
      pathInfos,
    };
    await expect(importNar(source(), "name", targets)).rejects.toBe(OUTAGE);
    expect(closed).toBe(true);
    for await (const _ of pathInfos.list()) throw new Error("A path info was stored");
  });

  it("fails with what fails where small blobs are taken as a whole, whichever it is", async () => {
    for (const nth of [1, 2]) {
      let count = 0;
      const services = takingSmallBlobs(() => {
        if (++count === nth) throw OUTAGE;
      });
      await expect(ingestNar([SAMPLE], services)).rejects.toBe(OUTAGE);
    }
  });

  it("tells of small files where they begin, too", async () => {
    const offsets: [number, number][] = [];
    await ingestNar([SAMPLE], takingSmallBlobs(), {
      onFile: (offset, { size }) => offsets.push([offset, size]),
    });
    expect(offsets.sort(([a], [b]) => a - b).map(([, size]) => size)).toEqual([300_000, 5, 5]);
    for (const [offset, size] of offsets.slice(1)) {
      expect(SAMPLE.subarray(offset, offset + size).toString()).toBe("small");
    }
  });

  it("refuses padding that is not zero behind a small file that is here as a whole", async () => {
    const nar = narOf(file("small"));
    nar[nar.indexOf("small") + 5] = 1;
    const services = takingSmallBlobs();
    await expect(ingestNar([nar], services)).rejects.toThrow("padding that is not zero");
  });

  it("fails with what its source fails with", async () => {
    const outage = new StoreError("unavailable", "the network is away");
    const source = async function* () {
      yield SAMPLE.subarray(0, 1000);
      throw outage;
    };
    await expect(ingestNar(source(), memoryServices())).rejects.toBe(outage);
  });

  it("stops waiting for its source when its signal fires", async () => {
    const abort = new AbortController();
    const source = async function* () {
      yield SAMPLE.subarray(0, 1000);
      abort.abort();
      await new Promise(() => {});
    };
    await expect(
      ingestNar(source(), memoryServices(), { signal: abort.signal }),
    ).rejects.toMatchObject({ code: "aborted" });
  });
});
