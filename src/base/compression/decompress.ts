import { StoreError } from "../errors.js";
import { decompressBzip2 } from "./bzip2.js";
import type { Compression } from "./compression.js";
import { type SystemDecoder, throughDecoder } from "./system-decoder.js";
import { openSystemXz } from "./system-xz.js";
import { openSystemZstd } from "./system-zstd.js";
import { decompressXz } from "./xz.js";
import { decompressBrotli, decompressGzip } from "./zlib.js";
import { decompressZstd } from "./zstd-decompress.js";

export interface DecompressOptions {
  /** How many bytes may come out, to the byte. */
  readonly bytesMax: number;
  /** How much memory the content may ask a decompressor to keep for looking back; 128 MiB unless told. */
  readonly windowBytesMax?: number;
  /**
   * The caller is done with a piece by the time a MiB more has come, whose memory may be used again then.
   * Without, a large content leaves so much memory behind that collecting it takes longer than decompressing.
   */
  readonly transient?: boolean;
  /** Without the libraries of this system, as where it has none. */
  readonly portable?: boolean;
}

/** What `xz -9` takes fits, and so does the largest window zstd grants without being asked (2^27). */
const WINDOW_BYTES_MAX = 128 * 1024 * 1024;

type Decompressor = (
  source: AsyncIterable<Uint8Array>,
  windowBytesMax: number,
) => AsyncIterable<Uint8Array>;

const DECOMPRESSORS: Readonly<Record<Compression, Decompressor>> = {
  none: (source) => source,
  xz: decompressXz,
  bzip2: decompressBzip2,
  gzip: decompressGzip,
  zstd: decompressZstd,
  br: decompressBrotli,
};

/** What libraries of this system do in a fraction of the time. */
const SYSTEM_DECODERS: Readonly<
  Partial<Record<Compression, (windowBytesMax: number) => SystemDecoder | undefined>>
> = { xz: openSystemXz, zstd: openSystemZstd };

/**
 * The bytes that `source` holds compressed. Pulling drives it: at most one piece, and the input
 * of the next, run ahead of the consumer. One that stops early lets go of the source and of all memory. Several
 * streams one after the other are taken as one, as the tools of each format take them.
 *
 * @throws {StoreError} `limit-exceeded` with the byte after `bytesMax`, or when the content asks for too large
 *   a window; `invalid-argument` when it is not of this format, is damaged, ends too soon, or goes on after
 *   its end. What `source` throws is passed on.
 */
export async function* decompress(
  compression: Compression,
  source: AsyncIterable<Uint8Array>,
  {
    bytesMax,
    windowBytesMax = WINDOW_BYTES_MAX,
    transient = false,
    portable = false,
  }: DecompressOptions,
): AsyncGenerator<Uint8Array> {
  let length = 0;
  const decoder = portable ? undefined : SYSTEM_DECODERS[compression]?.(windowBytesMax);
  const pieces =
    decoder === undefined
      ? DECOMPRESSORS[compression](source, windowBytesMax)
      : throughDecoder(decoder, source, { bytesMax, transient });
  for await (const piece of pieces) {
    length += piece.length;
    if (length > bytesMax) {
      const whole = compression === "none" ? "The content" : `What comes out of ${compression}`;
      throw new StoreError("limit-exceeded", `${whole} is larger than ${bytesMax} bytes`);
    }
    if (piece.length > 0) yield piece;
  }
}
