import { StoreError } from "../base/errors.js";
import { B3Digest, B3Hasher } from "../castore/digest.js";

const NOTHING = new Uint8Array(0);

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
  let hasher: B3Hasher | undefined;
  let last: Uint8Array | undefined;
  for await (const piece of pieces) {
    if (piece.length === 0) continue;
    if (last !== undefined) {
      hasher ??= hasherOf(last);
      yield last;
      hasher.update(piece);
    }
    last = piece;
  }
  const found = hasher?.finish() ?? B3Digest.of(last ?? NOTHING);
  if (!found.equals(digest)) {
    throw new StoreError("corrupt", `Blob ${digest} arrived with the content of ${found}`);
  }
  if (last !== undefined) yield last;
}

/** What comes in one piece needs none. */
function hasherOf(first: Uint8Array): B3Hasher {
  const hasher = new B3Hasher();
  hasher.update(first);
  return hasher;
}
