/**
 * Reads a large blob of a gRPC server.
 */
import { readChunks } from "../castore/blob/chunked-read.js";
import type { BlobReader, ByteRange, ChunkMeta } from "../castore/blob/service.js";
import type { B3Digest } from "../castore/digest.js";

/** A stream of the whole content that is under way. */
export interface BegunStream {
  /** What has arrived already. */
  readonly pieces: readonly Uint8Array[];
  readonly rest: AsyncGenerator<Uint8Array>;
}

export interface GrpcBlobReaderOptions {
  readonly begun: BegunStream;
  /** The content, once more. */
  readonly read: () => AsyncGenerator<Uint8Array>;
  readonly chunks: () => Promise<readonly ChunkMeta[]>;
  readonly openChunk: (digest: B3Digest) => Promise<BlobReader | undefined>;
}

export class GrpcBlobReader implements BlobReader {
  /** Not told: it would take a question more. */
  readonly size = undefined;
  readonly #options: GrpcBlobReaderOptions;
  #begun: BegunStream | undefined;
  #chunks: Promise<readonly ChunkMeta[]> | undefined;

  constructor(options: GrpcBlobReaderOptions) {
    this.#options = options;
    this.#begun = options.begun;
  }

  async read(offset: number, length: number): Promise<Uint8Array> {
    const parts: Uint8Array[] = [];
    for await (const part of this.#streamPart({ offset, length })) parts.push(part);
    return Buffer.concat(parts);
  }

  stream(range: ByteRange = { offset: 0 }): AsyncIterable<Uint8Array> {
    const whole = range.offset === 0 && range.length === undefined;
    return whole ? this.#streamWhole() : this.#streamPart(range);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#takeBegun()?.rest.return(undefined);
  }

  async *#streamWhole(): AsyncGenerator<Uint8Array> {
    const begun = this.#takeBegun();
    if (begun === undefined) {
      yield* this.#options.read();
      return;
    }
    try {
      yield* begun.pieces;
      yield* begun.rest;
    } finally {
      await begun.rest.return(undefined);
    }
  }

  async *#streamPart(range: ByteRange): AsyncGenerator<Uint8Array> {
    const { chunks, openChunk } = this.#options;
    if (this.#chunks === undefined) {
      const asked = chunks();
      this.#chunks = asked;
      asked.catch(() => {
        this.#chunks = undefined;
      });
    }
    const known = await this.#chunks;
    if (known.length > 1) yield* readChunks(known, range, openChunk);
    else yield* cutOut(this.#streamWhole(), range);
  }

  /** What has been begun is for one consumer. */
  #takeBegun(): BegunStream | undefined {
    const begun = this.#begun;
    this.#begun = undefined;
    return begun;
  }
}

/** The bytes of `range`; the source is left as soon as they have come. */
export async function* cutOut(
  source: AsyncIterable<Uint8Array>,
  { offset, length = Number.MAX_SAFE_INTEGER }: ByteRange,
): AsyncGenerator<Uint8Array> {
  const end = offset + length;
  let position = 0;
  if (length === 0) return;
  for await (const piece of source) {
    const part = piece.subarray(
      Math.max(offset - position, 0),
      Math.max(Math.min(end - position, piece.length), 0),
    );
    position += piece.length;
    if (part.length > 0) yield part;
    if (position >= end) return;
  }
}
