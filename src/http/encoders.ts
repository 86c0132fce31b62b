import { compress, type WritableCompression } from "../base/compression/compress.js";

/** Each takes a thread or what is left of this one, and some of them tens of megabytes. */
const ENCODERS_MAX = 4;

/** Compresses what is sent, a bounded number of streams at a time. */
export class Encoders {
  #running = 0;
  #isZstdBusy = false;

  /** Whether one more stream may be compressed so. zstd has one compressor, which a slow client may hold for long. */
  isFree(compression: WritableCompression): boolean {
    return this.#running < ENCODERS_MAX && !(compression === "zstd" && this.#isZstdBusy);
  }

  /** `source`, compressed. Whoever stops reading early lets go of the source. */
  async *encode(
    source: AsyncIterable<Uint8Array>,
    compression: WritableCompression,
  ): AsyncGenerator<Uint8Array> {
    this.#running++;
    if (compression === "zstd") this.#isZstdBusy = true;
    try {
      yield* compress(compression, source);
    } finally {
      this.#running--;
      if (compression === "zstd") this.#isZstdBusy = false;
    }
  }
}
