/**
 * Stand-ins for the digests of files whose content is not here yet. They say where in a NAR the content lies:
 *
 *   made-up digest := mark (16 bytes) · offset f64 · size f64
 *
 * The mark is part of a hash, so that no digest of real content looks like it, by chance or on purpose. They are
 * never stored and never shown.
 */
import { toHex } from "../../base/bytes.js";
import { B3Digest } from "../../castore/digest.js";
import type { Narinfo } from "../narinfo/narinfo.js";

const MARK_BYTES = 16;

/** Where the content of a file lies in a NAR, in bytes. */
export interface NarPlace {
  readonly offset: number;
  readonly size: number;
}

/** The mark of all files of one store path with one NAR. */
export function markOf({ storePath, narSha256 }: Pick<Narinfo, "storePath" | "narSha256">): Buffer {
  const text = `tvix-store provisional ${storePath.basename} ${toHex(narSha256)}`;
  return Buffer.from(B3Digest.of(Buffer.from(text)).bytes.subarray(0, MARK_BYTES));
}

export function makeUpDigest(mark: Uint8Array, { offset, size }: NarPlace): B3Digest {
  const bytes = Buffer.alloc(B3Digest.LENGTH_BYTES);
  bytes.set(mark);
  bytes.writeDoubleBE(offset, MARK_BYTES);
  bytes.writeDoubleBE(size, MARK_BYTES + 8);
  return B3Digest.from(bytes);
}

/** The mark of a digest that may be made up, in hex. */
export function markIn(digest: B3Digest): string {
  return digest.hex.slice(0, 2 * MARK_BYTES);
}

/** What a made-up digest says. */
export function placeIn({ bytes }: B3Digest): NarPlace {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  return { offset: view.getFloat64(MARK_BYTES), size: view.getFloat64(MARK_BYTES + 8) };
}
