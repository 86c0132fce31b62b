/**
 * Reading a part of a blob through its chunks, without touching the others.
 */
import { StoreError } from "../../base/errors.js";
import type { B3Digest } from "../digest.js";
import type { BlobReader, ByteRange, ChunkMeta } from "./service.js";

/**
 * The bytes of `range` of the blob that `chunks` make up. Chunks are opened one after the other, each when
 * its turn comes. That they make up the blob they are said to is not checked: only the whole could tell.
 *
 * @throws {StoreError} `dangling-reference` when a chunk is missing, `corrupt` when it has another size.
 */
export async function* readChunks(
  chunks: readonly ChunkMeta[],
  range: ByteRange,
  open: (digest: B3Digest) => Promise<BlobReader | undefined>,
): AsyncGenerator<Uint8Array> {
  const end = range.offset + (range.length ?? Number.MAX_SAFE_INTEGER);
  let start = 0;
  for (const { digest, size } of chunks) {
    const from = Math.max(range.offset - start, 0);
    const to = Math.min(end - start, size);
    start += size;
    if (from >= to) continue;
    await using reader = await open(digest);
    if (reader === undefined) {
      throw new StoreError("dangling-reference", `Chunk ${digest} is missing`);
    }
    let rest = to - from;
    // The whole of a chunk is checked against its digest, a part is not.
    const whole = from === 0 && to === size;
    for await (const piece of reader.stream(
      whole ? undefined : { offset: from, length: to - from },
    )) {
      rest -= piece.length;
      if (rest < 0) break;
      yield piece;
    }
    if (rest !== 0) {
      throw new StoreError("corrupt", `Chunk ${digest} does not have the ${size} bytes it should`);
    }
  }
}
