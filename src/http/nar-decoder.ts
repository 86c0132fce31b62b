/**
 * NARs as they come over the wire, unpacked.
 */
import { pipeline } from "node:stream/promises";
import { createBrotliDecompress, createGunzip } from "node:zlib";
import { messageOf, StoreError } from "../base/errors.js";

export interface DecodedNar {
  /** As it is named in narinfos. */
  readonly compression: string;
  /** The NAR. Whoever stops reading early lets go of the source. */
  readonly content: AsyncIterable<Uint8Array>;
}

const GZIP_MAGIC = Buffer.from([0x1f, 0x8b]);
const CHUNK_BYTES = 128 * 1024;

/**
 * Unpacks `source`, a file called `*.nar` and, unless it is empty, `.suffix`. gzip has no suffix of its own: its first
 * bytes tell, as no NAR begins with them.
 *
 * @throws {StoreError} `unsupported` for a suffix that is not known; while reading `invalid-argument` for what does
 *   not unpack.
 */
export async function decodeNar(
  source: AsyncIterable<Uint8Array>,
  suffix: string,
): Promise<DecodedNar> {
  switch (suffix) {
    case "": {
      const { head, whole } = await peek(source, GZIP_MAGIC.length);
      if (!head.equals(GZIP_MAGIC)) return { compression: "none", content: whole };
      return { compression: "gzip", content: unpack(whole, "gzip") };
    }
    case "br":
      return { compression: "br", content: unpack(source, "br") };
    default:
      throw new StoreError("unsupported", `NARs compressed as .${suffix} are not taken`);
  }
}

async function* unpack(
  source: AsyncIterable<Uint8Array>,
  compression: "gzip" | "br",
): AsyncGenerator<Uint8Array> {
  const options = { chunkSize: CHUNK_BYTES };
  const decoder = compression === "gzip" ? createGunzip(options) : createBrotliDecompress(options);
  let failure: unknown;
  const fed = pipeline(
    watched(source, (error) => (failure = error)),
    decoder,
  ).catch(() => {});
  try {
    for await (const piece of decoder) yield piece as Uint8Array;
  } catch (error) {
    // What the source has to say comes first; what else goes wrong is in the bytes.
    if (failure !== undefined) throw failure;
    throw new StoreError("invalid-argument", `The NAR is not ${compression}: ${messageOf(error)}`, {
      cause: error,
    });
  } finally {
    decoder.destroy();
    await fed;
  }
}

async function* watched(
  source: AsyncIterable<Uint8Array>,
  onFailure: (error: unknown) => void,
): AsyncGenerator<Uint8Array> {
  try {
    yield* source;
  } catch (error) {
    onFailure(error);
    throw error;
  }
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
