/**
 * Contents of blobs that are known to be in the store.
 */
import { StoreError } from "../base/errors.js";
import type { BlobReader, BlobService } from "../castore/blob/service.js";
import type { B3Digest } from "../castore/digest.js";
import type { ServedRange } from "./byte-range.js";

/** @throws {StoreError} `dangling-reference` when it is not there after all. */
export async function* streamBlob(
  blobs: BlobService,
  digest: B3Digest,
  range?: ServedRange,
): AsyncGenerator<Uint8Array> {
  await using reader = await open(blobs, digest);
  yield* reader.stream(range && { offset: range.start, length: range.end - range.start });
}

/** The first bytes, at most `length`. @throws {StoreError} as {@link streamBlob}. */
export async function readBlobStart(
  blobs: BlobService,
  digest: B3Digest,
  length: number,
): Promise<Uint8Array> {
  await using reader = await open(blobs, digest);
  return await reader.read(0, length);
}

async function open(blobs: BlobService, digest: B3Digest): Promise<BlobReader> {
  const reader = await blobs.openRead(digest);
  if (reader !== undefined) return reader;
  throw new StoreError("dangling-reference", `Blob ${digest} is missing from the store`);
}
