/**
 * Values of the `blobs` table: one byte that tells the kind, then
 *
 *   0   the content itself, at most INLINE_BYTES_MAX bytes
 *   1   u64 little-endian: the size of a blob kept as a file
 */

import type { B3Digest } from "../digest.js";
import { damaged } from "./blob-errors.js";

/**
 * Blobs up to this size live in the index, larger ones as files. Measured with many at a time, in the index
 * and as files:
 *
 *   size      durable write        read             read, file kept open
 *   4 KiB     38 µs    209 µs      4 µs    8 µs     1 µs
 *   64 KiB    210 µs   381 µs      7 µs    8 µs     2 µs
 *   128 KiB   563 µs   418 µs      10 µs   11 µs    3 µs
 *   1 MiB     3.5 ms   0.9 ms      98 µs   54 µs    27 µs
 */
export const INLINE_BYTES_MAX = 64 * 1024;

const INLINE = 0;
const FILE = 1;

export type BlobRecord =
  | { readonly type: "inline"; readonly content: Uint8Array }
  | { readonly type: "file"; readonly size: number };

export function encodeInline(content: Uint8Array): Buffer {
  const value = Buffer.allocUnsafe(1 + content.length);
  value[0] = INLINE;
  value.set(content, 1);
  return value;
}

export function encodeFile(size: number): Buffer {
  const value = Buffer.alloc(9);
  value[0] = FILE;
  value.writeBigUInt64LE(BigInt(size), 1);
  return value;
}

/**
 * Reads the value stored under `digest`. An inline content lies on `value` and is not checked.
 *
 * @throws {StoreError} `corrupt` for a value this format does not have.
 */
export function decodeRecord(value: Uint8Array, digest: B3Digest): BlobRecord {
  if (value[0] === INLINE) return { type: "inline", content: value.subarray(1) };
  if (value[0] !== FILE || value.length !== 9) throw damaged(digest, "its record is malformed");
  const view = new DataView(value.buffer, value.byteOffset, value.length);
  return { type: "file", size: Number(view.getBigUint64(1, true)) };
}
