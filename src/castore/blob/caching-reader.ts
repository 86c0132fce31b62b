/**
 * Reads a blob that near did not have when it was opened.
 */
import { throwIfAborted, untilAborted } from "../../base/abort.js";
import type { B3Digest } from "../digest.js";
import { type Arrival, NearFailure } from "./caching-arrival.js";
import { ArrivingPieces } from "./caching-pieces.js";
import { readChunks } from "./chunked-read.js";
import type { BlobReader, BlobService, ByteRange, ChunkMeta } from "./service.js";

/** How far a stream may fall behind its transfer before it waits for the end and goes on from near. */
const BEHIND_BYTES_MAX = 8 * 1024 * 1024;

export interface ArrivingReaderOptions {
  readonly arrival: Arrival;
  /** Far's reader of the blob. */
  readonly far: BlobReader;
  readonly near: BlobService;
  /** What far knows of chunks; `[]` where they are not to be used. */
  readonly chunks: () => Promise<readonly ChunkMeta[]>;
  readonly openChunk: (digest: B3Digest) => Promise<BlobReader | undefined>;
  readonly signal: AbortSignal | undefined;
  /** Called once, when this reader is done with the arrival. */
  readonly release: () => Promise<void>;
}

export class ArrivingReader implements BlobReader {
  readonly #options: ArrivingReaderOptions;
  #near: Promise<BlobReader | undefined> | undefined;
  #chunks: Promise<readonly ChunkMeta[]> | undefined;
  #disposed: Promise<void> | undefined;

  constructor(options: ArrivingReaderOptions) {
    this.#options = options;
  }

  get size(): number | undefined {
    return this.#options.far.size;
  }

  async read(offset: number, length: number): Promise<Uint8Array> {
    const parts: Uint8Array[] = [];
    for await (const part of this.#streamPart({ offset, length })) parts.push(part);
    return parts.length === 1 ? (parts[0] as Uint8Array) : Buffer.concat(parts);
  }

  stream(range: ByteRange = { offset: 0 }): AsyncIterable<Uint8Array> {
    const whole = range.offset === 0 && range.length === undefined;
    return whole ? this.#streamWhole() : this.#streamPart(range);
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.#disposed ??= this.#dispose();
    return this.#disposed;
  }

  /** As it arrives when this stream is the first, else from near when it is there. */
  async *#streamWhole(): AsyncGenerator<Uint8Array> {
    const { arrival, far, signal } = this.#options;
    throwIfAborted(signal);
    if (arrival.isFilling) {
      yield* (await this.#filled()).stream();
      return;
    }
    const pieces = new ArrivingPieces(BEHIND_BYTES_MAX);
    const end = () => pieces.end();
    const filling = arrival.fill((piece) => pieces.push(piece));
    filling.then(end, end);
    signal?.addEventListener("abort", end);
    let offset = 0;
    try {
      for await (const piece of pieces.take()) {
        throwIfAborted(signal);
        offset += piece.length;
        yield piece;
      }
    } finally {
      signal?.removeEventListener("abort", end);
    }
    // A transfer that failed has given a part, which must not be taken for the whole.
    // Only from its beginning can far check what it gives.
    if (!(await this.#comesNear(filling))) yield* dropFirst(far.stream(), offset);
    else if (!pieces.isComplete) yield* (await this.#filled()).stream({ offset });
  }

  async *#streamPart(range: ByteRange): AsyncGenerator<Uint8Array> {
    const { arrival, chunks, openChunk } = this.#options;
    if (!arrival.isFilled) {
      this.#chunks ??= chunks();
      this.#chunks.catch(() => {
        this.#chunks = undefined;
      });
      const known = await this.#chunks;
      if (known.length > 1) {
        yield* readChunks(known, range, openChunk);
        return;
      }
    }
    yield* (await this.#filled()).stream(range);
  }

  /** Near's reader once near has the blob; far's when near cannot have it. */
  async #filled(): Promise<BlobReader> {
    const { arrival, far, near, signal } = this.#options;
    if (!(await this.#comesNear(arrival.fill()))) return far;
    this.#near ??= near.openRead(arrival.digest, signal && { signal });
    this.#near.catch(() => {
      this.#near = undefined;
    });
    return (await this.#near) ?? far;
  }

  /** Waits until near has the blob, by way of `filling`; false when it cannot have it. */
  async #comesNear(filling: Promise<void>): Promise<boolean> {
    try {
      await untilAborted(filling, this.#options.signal);
      return true;
    } catch (error) {
      if (error instanceof NearFailure) return false;
      throw error;
    }
  }

  async #dispose(): Promise<void> {
    const near = await this.#near?.catch(() => undefined);
    await near?.[Symbol.asyncDispose]();
    await this.#options.release();
  }
}

async function* dropFirst(
  source: AsyncIterable<Uint8Array>,
  bytes: number,
): AsyncGenerator<Uint8Array> {
  let rest = bytes;
  for await (const piece of source) {
    if (piece.length > rest) yield rest === 0 ? piece : piece.subarray(rest);
    rest = Math.max(rest - piece.length, 0);
  }
}
