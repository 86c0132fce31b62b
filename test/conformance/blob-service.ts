import { describe, expect, it } from "vitest";
import type { BlobReader, BlobService } from "../../src/castore/blob/service.js";
import { getBlob, putBlob, SMALL_BYTES_MAX } from "../../src/castore/blob/service.js";
import { B3Digest } from "../../src/castore/digest.js";
import { bytes, collect, noise } from "../support/bytes.js";
import { EMPTY_DIGEST } from "../support/empty-digest.js";

/** What a blob backend offers beyond the interface; groups for the rest are skipped by name. */
export interface BlobTraits {
  /** A second service opened on the same place sees what the first one stored. */
  readonly persistent: boolean;
}

export interface BlobBackend {
  readonly traits: BlobTraits;
  /** A service on a place of its own, empty. */
  open(): Promise<BlobService>;
  /** Another service on the place of `service`; called for persistent backends only. */
  reopen?(service: BlobService): Promise<BlobService>;
}

/** Sizes on both sides of every border we know: nothing, small, inline limit, stream piece, several. */
const SIZES = [0, 1, 1000, 65_535, 65_536, 65_537, 1_048_575, 1_048_576, 1_048_577, 3_000_000];

async function openExisting(blobs: BlobService, digest: B3Digest): Promise<BlobReader> {
  const reader = await blobs.openRead(digest);
  if (reader === undefined) throw new Error(`${digest} is absent`);
  return reader;
}

export function blobServiceConformance({ traits, open, reopen }: BlobBackend): void {
  it("knows nothing of a blob that was never stored", async () => {
    const blobs = await open();
    const digest = B3Digest.of(bytes("never stored"));
    expect(await blobs.has(digest)).toBe(false);
    expect(await blobs.openRead(digest)).toBeUndefined();
    expect(await blobs.chunks(digest)).toBeUndefined();
    expect(await blobs.has(EMPTY_DIGEST)).toBe(false);
  });

  it.each(SIZES)("gives back a blob of %d bytes", async (size) => {
    const blobs = await open();
    const content = noise(size);
    const stored = await putBlob(blobs, content);
    expect(stored.size).toBe(size);
    expect(stored.digest.equals(B3Digest.of(content))).toBe(true);
    expect(await blobs.has(stored.digest)).toBe(true);
    expect(await blobs.chunks(stored.digest)).toBeInstanceOf(Array);
    expect(content.equals((await getBlob(blobs, stored.digest)) as Buffer)).toBe(true);
  });

  it.each(SIZES)("has all of a blob of %d bytes at hand, or says nothing of it", async (size) => {
    const blobs = await open();
    const content = noise(size);
    const { digest } = await putBlob(blobs, content);
    expect(blobs.getResident?.(B3Digest.of(bytes("never stored")))).toBeUndefined();
    const resident = blobs.getResident?.(digest);
    if (resident !== undefined) expect(content.equals(resident)).toBe(true);
  });

  it.each(SIZES.filter((size) => size <= SMALL_BYTES_MAX))(
    "takes a blob of %d bytes at once, where it takes any so, and lets go of its memory",
    async (size) => {
      const blobs = await open();
      if (blobs.putSmall === undefined) return;
      const content = noise(size);
      const memory = Buffer.from(content);
      const storing = blobs.putSmall(memory);
      memory.fill(0xaa);
      const stored = await storing;
      expect(stored.size).toBe(size);
      expect(stored.digest.equals(B3Digest.of(content))).toBe(true);
      expect(content.equals((await getBlob(blobs, stored.digest)) as Buffer)).toBe(true);
      expect(await blobs.putSmall(content)).toEqual(stored);
    },
  );

  it("does not care how a blob was cut for writing", async () => {
    const blobs = await open();
    const content = noise(200_000);
    for (const step of [1, 977, 65_536, 65_537]) {
      await using writer = await blobs.openWrite();
      const end = step === 1 ? 300 : content.length;
      for (let at = 0; at < end; at += step)
        await writer.write(content.subarray(at, Math.min(at + step, end)));
      const { digest, size } = await writer.close();
      expect(size).toBe(end);
      expect(digest.equals(B3Digest.of(content.subarray(0, end)))).toBe(true);
    }
  });

  it("keeps what was written when the caller reuses its buffer", async () => {
    const blobs = await open();
    const buffer = Buffer.alloc(40_000, 1);
    await using writer = await blobs.openWrite();
    for (const fill of [1, 2, 3]) {
      buffer.fill(fill);
      await writer.write(buffer);
    }
    const { digest } = await writer.close();
    buffer.fill(9);
    const expected = Buffer.concat([1, 2, 3].map((fill) => Buffer.alloc(40_000, fill)));
    expect(expected.equals((await getBlob(blobs, digest)) as Buffer)).toBe(true);
  });

  it.each([1000, 100_000])("reads any range of a blob of %d bytes", async (size) => {
    const blobs = await open();
    const content = noise(size);
    const { digest } = await putBlob(blobs, content);
    await using reader = await openExisting(blobs, digest);
    const cases: [number, number][] = [
      [0, 10],
      [5, 0],
      [size - 1, 1],
      [size - 10, 100],
      [size, 10],
      [size + 1, 10],
      [123, size],
    ];
    const results = await Promise.all(cases.map(([offset, length]) => reader.read(offset, length)));
    for (const [index, [offset, length]] of cases.entries()) {
      const expected = content.subarray(offset, offset + length);
      expect(expected.equals(results[index] as Buffer), `${offset}+${length}`).toBe(true);
      const streamed = await collect(reader.stream({ offset, length }));
      expect(expected.equals(streamed), `stream ${offset}+${length}`).toBe(true);
    }
    expect(content.subarray(7).equals(await collect(reader.stream({ offset: 7 })))).toBe(true);
  });

  it("lets a reader stop a stream early and go on", async () => {
    const blobs = await open();
    const content = noise(3_000_000);
    const { digest } = await putBlob(blobs, content);
    await using reader = await openExisting(blobs, digest);
    for await (const part of reader.stream()) {
      expect(part.length).toBeGreaterThan(0);
      break;
    }
    expect(content.equals(await collect(reader.stream()))).toBe(true);
  });

  it.each([10, 100_000])("shows nothing of %d bytes before close", async (size) => {
    const blobs = await open();
    const content = noise(size, 7);
    const digest = B3Digest.of(content);
    const writer = await blobs.openWrite();
    await writer.write(content);
    expect(await blobs.has(digest)).toBe(false);
    await writer[Symbol.asyncDispose]();
    expect(await blobs.has(digest)).toBe(false);
  });

  it("answers a second close like the first and takes no more bytes", async () => {
    const blobs = await open();
    await using writer = await blobs.openWrite();
    await writer.write(bytes("once"));
    const first = await writer.close();
    expect(await writer.close()).toEqual(first);
    await expect(writer.write(bytes("more"))).rejects.toMatchObject({ code: "invalid-argument" });
  });

  it.each([10, 100_000])("takes the same %d bytes from many writers at once", async (size) => {
    const blobs = await open();
    const content = noise(size, 3);
    const stored = await Promise.all(Array.from({ length: 8 }, () => putBlob(blobs, content)));
    for (const { digest } of stored) expect(digest.equals(B3Digest.of(content))).toBe(true);
    const digest = B3Digest.of(content);
    expect(content.equals((await getBlob(blobs, digest)) as Buffer)).toBe(true);
  });

  describe.skipIf(!traits.persistent)("persistent", () => {
    it.each([0, 10, 100_000])("finds %d bytes again after reopening", async (size) => {
      const blobs = await open();
      const content = noise(size, 5);
      const { digest } = await putBlob(blobs, content);
      const again = await reopen?.(blobs);
      if (again === undefined) throw new Error("a persistent backend must say how to reopen it");
      expect(content.equals((await getBlob(again, digest)) as Buffer)).toBe(true);
    });
  });
}
