import type { Compression } from "./compression.js";
import { compressXz } from "./xz.js";
import { compressBrotli, compressGzip } from "./zlib.js";
import { compressZstd } from "./zstd-compress.js";

/** What can be written. bzip2 is not: nothing good on the registry writes it, and nobody makes new caches of it. */
export type WritableCompression = Exclude<Compression, "bzip2">;

const COMPRESSORS: Readonly<
  Record<WritableCompression, (source: AsyncIterable<Uint8Array>) => AsyncIterable<Uint8Array>>
> = {
  none: (source) => source,
  xz: compressXz,
  gzip: compressGzip,
  zstd: compressZstd,
  br: compressBrotli,
};

export const WRITABLE_COMPRESSIONS = Object.keys(COMPRESSORS) as readonly WritableCompression[];

/**
 * `source`, compressed as one stream. Pulling drives it, in bounded memory; a consumer that stops early lets
 * go of the source. What `source` throws is passed on.
 */
export function compress(
  compression: WritableCompression,
  source: AsyncIterable<Uint8Array>,
): AsyncIterable<Uint8Array> {
  return COMPRESSORS[compression](source);
}
