import { setImmediate } from "node:timers/promises";
import { beforeEach, describe, expect, it } from "vitest";
import { StoreError } from "../../../src/base/errors.js";
import { CachingBlobService } from "../../../src/castore/blob/caching.js";
import { BytesReader, MemoryBlobService } from "../../../src/castore/blob/memory.js";
import {
  type BlobReader,
  type BlobService,
  type ByteRange,
  type ChunkMeta,
  getBlob,
  putBlob,
} from "../../../src/castore/blob/service.js";
import { B3Digest } from "../../../src/castore/digest.js";
import { bytes, collect, noise } from "../../support/bytes.js";
import {
  failFrom,
  Gate,
  type Hook,
  hooks,
  OUTAGE,
  StepCounts,
  WatchedBlobService,
} from "../../support/watched-services.js";

const PIECE_BYTES = 100_000;
const content = noise(1_000_000);
const digest = B3Digest.of(content);

/** Memory that hands its blobs out in pieces, as everything real does. */
class PiecewiseBlobService extends MemoryBlobService {
  override async openRead(wanted: B3Digest): Promise<BlobReader | undefined> {
    const reader = await super.openRead(wanted);
    return reader && new PiecewiseReader(await reader.read(0, reader.size as number));
  }
}

class PiecewiseReader extends BytesReader {
  override async *stream(range: ByteRange = { offset: 0 }): AsyncGenerator<Uint8Array> {
    const end = Math.min(range.offset + (range.length ?? this.size), this.size);
    for (let at = range.offset; at < end; at += PIECE_BYTES) {
      yield await this.read(at, Math.min(PIECE_BYTES, end - at));
    }
  }
}

let near: MemoryBlobService;
let far: PiecewiseBlobService;
let nearFailures: unknown[];

beforeEach(async () => {
  near = new MemoryBlobService();
  far = new PiecewiseBlobService();
  nearFailures = [];
  await putBlob(far, content);
});

function compose({ ofNear, ofFar }: { ofNear?: Hook; ofFar?: Hook } = {}) {
  const watchedFar = new WatchedBlobService(far, ofFar);
  const service = new CachingBlobService({
    near: new WatchedBlobService(near, ofNear),
    far: watchedFar,
    onNearFailure: (error) => nearFailures.push(error),
  });
  return { service, far: watchedFar };
}

async function open(service: BlobService, wanted = digest): Promise<BlobReader> {
  const reader = await service.openRead(wanted);
  if (reader === undefined) throw new Error("absent");
  return reader;
}

async function expectWhole(service: BlobService): Promise<void> {
  expect(content.equals((await getBlob(service, digest)) as Buffer)).toBe(true);
}

describe("CachingBlobService", () => {
  it("fills near while it streams from far, and reads near from then on", async () => {
    const { service, far } = compose();
    await using reader = await open(service);
    const seen: number[] = [];
    for await (const piece of reader.stream()) seen.push(piece.length);
    expect(seen.length).toBe(10);
    expect(await near.has(digest)).toBe(true);
    await expectWhole(service);
    expect(content.subarray(5, 15).equals(await reader.read(5, 10))).toBe(true);
    expect(far.bytes).toBe(content.length);
  });

  it("hands out pieces while others are still to come", async () => {
    const gate = new Gate("piece");
    let pieces = 0;
    const late: Hook = (step) => (step === "piece" && ++pieces > 3 ? gate.hook(step) : undefined);
    const { service } = compose({ ofFar: late });
    await using reader = await open(service);
    const stream = reader.stream()[Symbol.asyncIterator]();
    expect((await stream.next()).value).toHaveLength(PIECE_BYTES);
    expect((await stream.next()).value).toHaveLength(PIECE_BYTES);
    expect(await near.has(digest)).toBe(false);
    gate.open();
    while (!(await stream.next()).done);
    expect(await near.has(digest)).toBe(true);
  });

  it("does not take what came before far failed for the whole", async () => {
    let fails = 1;
    let pieces = 0;
    const once: Hook = (step) => {
      if (step === "piece" && ++pieces > 3 && fails-- > 0) throw OUTAGE;
    };
    const { service } = compose({ ofFar: once });
    await using reader = await open(service);
    await expect(collect(reader.stream())).rejects.toBe(OUTAGE);
    expect(content.equals(await collect(reader.stream()))).toBe(true);
  });

  it("does not begin for a caller that has given it up", async () => {
    const { service } = compose();
    const stop = new AbortController();
    await using reader = (await service.openRead(digest, { signal: stop.signal })) as BlobReader;
    stop.abort();
    await expect(collect(reader.stream())).rejects.toMatchObject({ code: "aborted" });
  });

  it("asks again for chunks when far could not tell of them for the moment", async () => {
    let fails = 1;
    const hook: Hook = (step) => {
      if (step === "chunks" && fails-- > 0) throw OUTAGE;
    };
    const { service } = compose({ ofFar: hook });
    await using reader = await open(service);
    await expect(reader.read(0, 10)).rejects.toBe(OUTAGE);
    expect(content.subarray(0, 10).equals(await reader.read(0, 10))).toBe(true);
  });

  it("brings the blob near before it reads a part of it, and only once", async () => {
    const { service, far } = compose();
    await using reader = await open(service);
    const [first, second] = await Promise.all([reader.read(10, 20), reader.read(999_990, 20)]);
    expect(content.subarray(10, 30).equals(first)).toBe(true);
    expect(content.subarray(999_990).equals(second)).toBe(true);
    const part = await collect(reader.stream({ offset: 250_000, length: 3 }));
    expect(content.subarray(250_000, 250_003).equals(part)).toBe(true);
    expect(far.bytes).toBe(content.length);
  });

  it("shares one transfer between all who want the blob", async () => {
    const counts = new StepCounts();
    const { service, far } = compose({ ofFar: counts.hook });
    await Promise.all(Array.from({ length: 20 }, () => expectWhole(service)));
    expect(far.bytes).toBe(content.length);
    expect(counts.of("openRead")).toBe(1);
    expect(counts.of("dispose")).toBe(1);
  });

  it("does not let a slow consumer hold up the others", async () => {
    const large = noise(20_000_000, 3);
    const { digest: largeDigest } = await putBlob(far, large);
    const { service, far: watched } = compose();
    await using reader = await open(service, largeDigest);
    const slow = reader.stream()[Symbol.asyncIterator]();
    const first = (await slow.next()).value as Uint8Array;
    const whole = await getBlob(service, largeDigest);
    expect(large.equals(whole as Buffer)).toBe(true);
    const parts = [first];
    for (let next = await slow.next(); !next.done; next = await slow.next()) parts.push(next.value);
    expect(large.equals(Buffer.concat(parts))).toBe(true);
    expect(watched.bytes).toBe(large.length);
  });

  it("does not fetch what near has, and does not remember what is absent", async () => {
    const { service, far: watched } = compose();
    await putBlob(near, bytes("here"));
    expect(await getBlob(service, B3Digest.of(bytes("here")))).toBeDefined();
    const later = B3Digest.of(bytes("later"));
    expect(await service.openRead(later)).toBeUndefined();
    expect(await service.fetch(later)).toBe(false);
    await putBlob(far, bytes("later"));
    expect(await getBlob(service, later)).toEqual(bytes("later"));
    expect(watched.bytes).toBe(5);
  });

  it("writes to far alone", async () => {
    const { service } = compose();
    const { digest: written } = await putBlob(service, bytes("new"));
    expect([await near.has(written), await far.has(written)]).toEqual([false, true]);
  });

  it("fetches near without reading", async () => {
    const { service, far: watched } = compose();
    expect(await Promise.all([service.fetch(digest), service.fetch(digest)])).toEqual([true, true]);
    expect(await near.has(digest)).toBe(true);
    expect(await service.fetch(digest)).toBe(true);
    expect(watched.bytes).toBe(content.length);
  });
});

describe("A far that fails", () => {
  it.each<[string, Hook]>([
    ["at once", failFrom("openRead")],
    ["at the first piece", failFrom("piece")],
    ["midway", failFrom("piece", 5)],
    ["at the last piece", failFrom("piece", 10)],
  ])("%s is an error, for everyone, and leaves nothing in near", async (_title, hook) => {
    const { service } = compose({ ofFar: hook });
    const calls = [getBlob(service, digest), getBlob(service, digest), service.fetch(digest)];
    for (const call of calls) await expect(call).rejects.toBe(OUTAGE);
    expect(await near.has(digest)).toBe(false);
    expect(nearFailures).toEqual([]);
  });

  it("is not taken for one that lacks the blob", async () => {
    const { service } = compose({ ofFar: failFrom("has") });
    await expect(service.has(digest)).rejects.toBe(OUTAGE);
  });

  it("can be read again, by the same reader, when it is back", async () => {
    let broken = true;
    const { service } = compose({
      ofFar: (step) => {
        if (step === "piece" && broken) throw OUTAGE;
      },
    });
    await using reader = await open(service);
    await expect(reader.read(0, 10)).rejects.toBe(OUTAGE);
    broken = false;
    expect(content.subarray(0, 10).equals(await reader.read(0, 10))).toBe(true);
  });

  it("is believed nothing: a blob with another digest does not become near's", async () => {
    const lying = new MemoryBlobService();
    lying.openRead = async () => new BytesReader(bytes("something else"));
    const service = new CachingBlobService({ near, far: lying });
    await expect(getBlob(service, digest)).rejects.toMatchObject({ code: "corrupt" });
    expect(await near.has(digest)).toBe(false);
  });
});

describe("A near that fails", () => {
  const full = new StoreError("unavailable", "no space left");

  it.each<[string, Hook]>([
    ["before the first byte", failFrom("openWrite", 1, full)],
    ["midway", failFrom("write", 4, full)],
    ["at the end", failFrom("close", 1, full)],
  ])("to keep a blob %s is passed over, and reported", async (_title, hook) => {
    const { service } = compose({ ofNear: hook });
    await expectWhole(service);
    expect(nearFailures).toEqual([full]);
    await using reader = await open(service);
    expect(content.subarray(7, 9).equals(await reader.read(7, 2))).toBe(true);
    expect(content.equals(await collect(reader.stream()))).toBe(true);
    await expect(service.fetch(digest)).rejects.toBe(full);
  });

  it("to be read is an error", async () => {
    const { service } = compose({ ofNear: failFrom("openRead") });
    await expect(service.openRead(digest)).rejects.toBe(OUTAGE);
  });

  it.each(["corrupt", "dangling-reference"] as const)("with %s is mended", async (code) => {
    const damage = new StoreError(code, "bad disk");
    const { service } = compose({
      ofNear: async (step) => {
        if (step === "openRead" && !(await near.has(digest))) throw damage;
      },
    });
    await expectWhole(service);
    expect(nearFailures).toEqual([damage]);
    await expectWhole(service);
  });
});

describe("Giving up", () => {
  it("ends the transfer when nobody wants it any more", async () => {
    const gate = new Gate("piece");
    const counts = new StepCounts();
    const { service } = compose({ ofFar: hooks(counts.hook, gate.hook) });
    const [one, two] = [new AbortController(), new AbortController()];
    const calls = [one, two].map(({ signal }) => service.fetch(digest, { signal }));
    while (gate.arrived === 0) await setImmediate();
    one.abort();
    await expect(calls[0]).rejects.toMatchObject({ code: "aborted" });
    expect(counts.of("dispose")).toBe(0);
    two.abort();
    await expect(calls[1]).rejects.toMatchObject({ code: "aborted" });
    expect(counts.of("dispose")).toBe(1);
    gate.open();
    await expectWhole(service);
  });

  it("ends a stream that waits", async () => {
    const gate = new Gate("piece");
    const { service } = compose({ ofFar: gate.hook });
    const stop = new AbortController();
    const reader = await service.openRead(digest, { signal: stop.signal });
    const reading = collect(reader?.stream() as AsyncIterable<Uint8Array>);
    while (gate.arrived === 0) await setImmediate();
    stop.abort();
    await expect(reading).rejects.toMatchObject({ code: "aborted" });
    await reader?.[Symbol.asyncDispose]();
  });

  it("on a stream early ends the transfer once the reader is disposed", async () => {
    const { service, far: watched } = compose({ ofFar: () => setImmediate() as Promise<void> });
    {
      await using reader = await open(service);
      for await (const _piece of reader.stream()) break;
    }
    expect(watched.bytes).toBeLessThan(content.length);
    expect(await near.has(digest)).toBe(false);
  });
});

describe("A far that knows chunks", () => {
  const cut = [0, 300_000, 300_000, 650_000, content.length];
  const chunks: ChunkMeta[] = cut.slice(1).map((end, index) => {
    const part = content.subarray(cut[index], end);
    return { digest: B3Digest.of(part), size: part.length };
  });

  beforeEach(async () => {
    for (const [index, end] of cut.slice(1).entries()) {
      await putBlob(far, content.subarray(cut[index], end));
    }
    far.chunks = async (wanted) =>
      wanted.equals(digest) ? chunks : (await far.has(wanted)) ? [] : undefined;
  });

  it("is asked for the chunks of a part, which near keeps", async () => {
    const { service, far: watched } = compose();
    for (let round = 0; round < 2; round++) {
      await using reader = await open(service);
      const part = await reader.read(299_990, 20);
      expect(content.subarray(299_990, 300_010).equals(part)).toBe(true);
      expect(watched.bytes).toBe(650_000);
    }
    expect(await near.has(digest)).toBe(false);
  });

  it.each([
    [0, 1],
    [300_000, 350_000],
    [649_999, 2],
    [999_999, 50],
    [1_000_000, 50],
    [0, 5_000_000],
  ])("gives the bytes from %d on, %d of them", async (offset, length) => {
    const { service } = compose();
    await using reader = await open(service);
    const expected = content.subarray(offset, offset + length);
    expect(expected.equals(await reader.read(offset, length))).toBe(true);
    expect(expected.equals(await collect(reader.stream({ offset, length })))).toBe(true);
  });

  it.each<[string, Partial<ChunkMeta>, string]>([
    ["is missing", { digest: B3Digest.of(bytes("gone")) }, "dangling-reference"],
    ["has another size", { size: 300_001 }, "corrupt"],
    ["is shorter", { size: 299_999 }, "corrupt"],
  ])("is not believed when a chunk %s", async (_title, change, code) => {
    const [first, ...rest] = chunks as [ChunkMeta, ...ChunkMeta[]];
    far.chunks = async () => [{ ...first, ...change }, ...rest];
    const { service } = compose();
    await using reader = await open(service);
    await expect(reader.read(0, 300_000 + 1)).rejects.toMatchObject({ code });
  });
});
