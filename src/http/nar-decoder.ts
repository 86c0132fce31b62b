/**
 * NARs as they come over the wire, unpacked.
 */
import type { Compression } from "../base/compression/compression.js";
import { decompress } from "../base/compression/decompress.js";
import { StoreError } from "../base/errors.js";

export interface DecodedNar {
  readonly compression: Compression;
  /** The NAR, in pieces that last until 512 KiB more have come. Whoever stops reading early lets go of the source. */
  readonly content: AsyncIterable<Uint8Array>;
}

const SUFFIXES: ReadonlyMap<string, Compression> = new Map([
  ["xz", "xz"],
  ["bz2", "bzip2"],
  ["zst", "zstd"],
  ["br", "br"],
]);

const GZIP_MAGIC = Buffer.from([0x1f, 0x8b]);

/**
 * Unpacks `source`, a file called `*.nar` and, unless it is empty, `.suffix`, to at most `bytesMax` bytes. gzip has no
 * suffix of its own: its first bytes tell, as no NAR begins with them.
 *
 * @throws {StoreError} `unsupported` for a suffix that is not known; while reading as `decompress`.
 */
export async function decodeNar(
  source: AsyncIterable<Uint8Array>,
  suffix: string,
  bytesMax: number,
): Promise<DecodedNar> {
  const options = { bytesMax, transient: true };
  if (suffix !== "") {
    const compression = SUFFIXES.get(suffix);
    if (compression !== undefined) {
      return { compression, content: decompress(compression, source, options) };
    }
    throw new StoreError("unsupported", `NARs compressed as .${suffix} are not taken`);
  }
  const { head, whole } = await peek(source, GZIP_MAGIC.length);
  const compression = head.equals(GZIP_MAGIC) ? "gzip" : "none";
  return { compression, content: decompress(compression, whole, options) };
}

/** The first `length` bytes, fewer when there are no more, and everything from the beginning. */
async function peek(
  source: AsyncIterable<Uint8Array>,
  length: number,
): Promise<{ head: Buffer; whole: AsyncIterable<Uint8Array> }> {
  const iterator = source[Symbol.asyncIterator]();
  let start = Buffer.alloc(0);
  while (start.length < length) {
    const { done, value } = await iterator.next();
    if (done) break;
    start = Buffer.concat([start, value]);
  }
  async function* all(): AsyncGenerator<Uint8Array> {
    try {
      yield start;
      for (let next = await iterator.next(); !next.done; next = await iterator.next()) {
        yield next.value;
      }
    } finally {
      await iterator.return?.();
    }
  }
  return { head: start.subarray(0, length), whole: all() };
}
