import { StoreError } from "../base/errors.js";
import { type B3Digest, B3Hasher } from "../castore/digest.js";

/**
 * `pieces` as they are, the last one only when all of them together have the digest. Empty ones are left
 * out.
 *
 * @throws {StoreError} `corrupt` when they have another.
 */
export async function* verified(
  pieces: AsyncIterable<Uint8Array>,
  digest: B3Digest,
): AsyncGenerator<Uint8Array> {
  const hasher = new B3Hasher();
  let last: Uint8Array | undefined;
  for await (const piece of pieces) {
    if (piece.length === 0) continue;
    if (last !== undefined) yield last;
    hasher.update(piece);
    last = piece;
  }
  const found = hasher.finish();
  if (!found.equals(digest)) {
    throw new StoreError("corrupt", `Blob ${digest} arrived with the content of ${found}`);
  }
  if (last !== undefined) yield last;
}
