/**
 * Blobs in this process's memory: for tests and throw-away stores.
 */
import { copyBytes } from "../../base/bytes.js";
import { StoreError } from "../../base/errors.js";
import { B3Digest } from "../digest.js";
import type {
  BlobReader,
  BlobService,
  BlobWriter,
  ByteRange,
  ChunkMeta,
  StoredBlob,
} from "./service.js";

export class MemoryBlobService implements BlobService {
  readonly #blobs = new Map<string, Uint8Array>();

  async has(digest: B3Digest): Promise<boolean> {
    return this.#blobs.has(digest.hex);
  }

  async openRead(digest: B3Digest): Promise<BlobReader | undefined> {
    const content = this.#blobs.get(digest.hex);
    return content === undefined ? undefined : new BytesReader(content);
  }

  async openWrite(): Promise<BlobWriter> {
    return new MemoryBlobWriter((digest, content) => this.#blobs.set(digest.hex, content));
  }

  async chunks(digest: B3Digest): Promise<readonly ChunkMeta[] | undefined> {
    return this.#blobs.has(digest.hex) ? [] : undefined;
  }
}

/** Reads a blob that lies in memory as a whole and has been checked. */
export class BytesReader implements BlobReader {
  readonly #content: Uint8Array;

  constructor(content: Uint8Array) {
    this.#content = content;
  }

  get size(): number {
    return this.#content.length;
  }

  async read(offset: number, length: number): Promise<Uint8Array> {
    return copyBytes(this.#content.subarray(offset, offset + length));
  }

  async *stream(range?: ByteRange): AsyncIterable<Uint8Array> {
    const { offset, end } = clampRange(this.size, range);
    if (end > offset) yield this.#content.subarray(offset, end);
  }

  async [Symbol.asyncDispose](): Promise<void> {}
}

/** The bytes of `range` that exist in a blob of `size` bytes: from `offset` up to, not including, `end`. */
export function clampRange(size: number, range?: ByteRange): { offset: number; end: number } {
  const offset = Math.min(range?.offset ?? 0, size);
  return { offset, end: Math.min(offset + (range?.length ?? size), size) };
}

class MemoryBlobWriter implements BlobWriter {
  readonly #publish: (digest: B3Digest, content: Uint8Array) => void;
  readonly #parts: Uint8Array[] = [];
  #stored: StoredBlob | undefined;

  constructor(publish: (digest: B3Digest, content: Uint8Array) => void) {
    this.#publish = publish;
  }

  async write(bytes: Uint8Array): Promise<void> {
    if (this.#stored !== undefined) throw alreadyClosed();
    this.#parts.push(copyBytes(bytes));
  }

  async close(): Promise<StoredBlob> {
    if (this.#stored === undefined) {
      const content = Buffer.concat(this.#parts);
      this.#stored = { digest: B3Digest.of(content), size: content.length };
      this.#publish(this.#stored.digest, content);
    }
    return this.#stored;
  }

  async [Symbol.asyncDispose](): Promise<void> {}
}

export function alreadyClosed(): StoreError {
  return new StoreError("invalid-argument", "Cannot write to a blob that is already closed");
}
