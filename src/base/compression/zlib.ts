import type { BrotliDecompress, Gunzip } from "node:zlib";
import {
  constants,
  createBrotliCompress,
  createBrotliDecompress,
  createGunzip,
  createGzip,
} from "node:zlib";
import type { Compression } from "./compression.js";
import { damaged, trailing, truncated } from "./damage.js";
import { throughTransform } from "./transform.js";

type Bytes = AsyncIterable<Uint8Array>;

const CHUNK_BYTES = 64 * 1024;

/** Nix takes brotli's own default of 11, at well under 1 MB/s. This is within a few percent, many times as fast. */
const BROTLI_QUALITY = 6;

/** Its window is at most 32 KiB. */
export function decompressGzip(source: Bytes): Bytes {
  return decompressed("gzip", createGunzip({ chunkSize: CHUNK_BYTES }), source);
}

/** Its window is at most 16 MiB: larger ones are refused unless asked for. */
export function decompressBrotli(source: Bytes): Bytes {
  return decompressed("br", createBrotliDecompress({ chunkSize: CHUNK_BYTES }), source);
}

export function compressGzip(source: Bytes): Bytes {
  return throughTransform(createGzip({ chunkSize: CHUNK_BYTES }), source);
}

export function compressBrotli(source: Bytes): Bytes {
  const params = { [constants.BROTLI_PARAM_QUALITY]: BROTLI_QUALITY };
  return throughTransform(createBrotliCompress({ chunkSize: CHUNK_BYTES, params }), source);
}

async function* decompressed(
  compression: Compression,
  decoder: Gunzip | BrotliDecompress,
  source: Bytes,
): AsyncGenerator<Uint8Array> {
  let fed = 0;
  async function* counted(): AsyncGenerator<Uint8Array> {
    for await (const piece of source) {
      // A decoder that has seen the end of its stream takes no more, and says nothing about it.
      if (fed > decoder.bytesWritten) throw trailing(compression);
      fed += piece.length;
      yield piece;
    }
    // Node takes nothing at all for the whole of nothing.
    if (fed === 0) throw truncated(compression);
  }
  yield* throughTransform(decoder, counted(), (error) => damaged(compression, error));
  if (fed > decoder.bytesWritten) throw trailing(compression);
}
