/**
 * The content of one file out of a NAR that lies uncompressed in a binary cache.
 */
import { ByteReader } from "../../base/byte-reader.js";
import { StoreError } from "../../base/errors.js";
import type { BlobService, CallOptions, StoredBlob } from "../../castore/blob/service.js";
import { LENGTH_BYTES } from "../nar/framing.js";
import type { Offer } from "../substitution/upstream.js";
import type { NarPlace } from "./made-up-digest.js";

/**
 * Stores the content at `place` of the NAR that is offered. `onPiece` is told of every piece that comes.
 *
 * @throws {StoreError} `unsupported` when the cache gives whole files only; `corrupt` when no content of this
 *   length lies there, and nothing was stored; others as `Upstream` and `blobs`.
 */
export async function fetchFilePart(
  { upstream, narinfo }: Offer,
  { offset, size }: NarPlace,
  blobs: BlobService,
  onPiece: () => void,
  options: CallOptions,
): Promise<StoredBlob> {
  // The length of a content stands before it: who lies about one seldom has thought of the other.
  const part = { offset: offset - LENGTH_BYTES, length: LENGTH_BYTES + size };
  await using source = new ByteReader(await upstream.narPart(narinfo, part, options));
  const wrong = (why: string) =>
    new StoreError(
      "corrupt",
      `Cannot use byte ${offset} and more of the NAR of ${narinfo.storePath} (${narinfo.url}): ${why}`,
    );
  if (!(await source.fill(LENGTH_BYTES))) throw wrong("it ends before that");
  const length = Buffer.from(source.take(LENGTH_BYTES)).readBigUInt64LE();
  if (length !== BigInt(size)) throw wrong(`${length} bytes lie there, ${size} are listed`);
  await using writer = await blobs.openWrite(options);
  for (let rest = size; rest > 0; ) {
    if (source.buffered === 0 && !(await source.fill(1))) throw wrong(`${rest} bytes are missing`);
    const piece = source.take(Math.min(rest, source.buffered));
    rest -= piece.length;
    onPiece();
    await writer.write(piece);
  }
  return await writer.close();
}
