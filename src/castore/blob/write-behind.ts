/**
 * Storing small blobs without waiting for the disk.
 */
import { copyBytes } from "../../base/bytes.js";
import type { WriteBehind } from "../../base/write-behind.js";
import { B3Digest } from "../digest.js";
import { alreadyClosed, BytesReader } from "./memory.js";
import {
  type BlobReader,
  type BlobService,
  type BlobWriter,
  type CallOptions,
  type ChunkMeta,
  putBlob,
  type StoredBlob,
} from "./service.js";

/**
 * A blob of at most `smallBytesMax` bytes is stored when it is in memory; it reaches `inner` soon after,
 * and is read from memory until then. Not durable when `close` resolves: for what can be fetched again,
 * such as near's side of a mount, where waiting for the disk would double the time a file takes. Larger
 * blobs, and everything that is read, go straight to `inner`. When `inner` does not take a small blob, it is
 * as if it had never been stored.
 */
export class WriteBehindBlobService implements BlobService {
  readonly #inner: BlobService;
  readonly #behind: WriteBehind<Uint8Array>;
  readonly #smallBytesMax: number;

  constructor(inner: BlobService, behind: WriteBehind<Uint8Array>, smallBytesMax: number) {
    this.#inner = inner;
    this.#behind = behind;
    this.#smallBytesMax = smallBytesMax;
  }

  async has(digest: B3Digest, options?: CallOptions): Promise<boolean> {
    return this.#behind.get(digest.hex) !== undefined || (await this.#inner.has(digest, options));
  }

  async openRead(digest: B3Digest, options?: CallOptions): Promise<BlobReader | undefined> {
    const content = this.#behind.get(digest.hex);
    return content === undefined
      ? await this.#inner.openRead(digest, options)
      : new BytesReader(content);
  }

  async openWrite(options?: CallOptions): Promise<BlobWriter> {
    return new WriteBehindWriter({
      smallBytesMax: this.#smallBytesMax,
      openLarge: () => this.#inner.openWrite(options),
      storeSmall: (digest, content) =>
        this.#behind.add(digest.hex, content, content.length, () => putBlob(this.#inner, content)),
    });
  }

  async chunks(digest: B3Digest, options?: CallOptions): Promise<readonly ChunkMeta[] | undefined> {
    return this.#behind.get(digest.hex) === undefined
      ? await this.#inner.chunks(digest, options)
      : [];
  }
}

interface WriterOptions {
  readonly smallBytesMax: number;
  readonly openLarge: () => Promise<BlobWriter>;
  readonly storeSmall: (digest: B3Digest, content: Uint8Array) => Promise<void>;
}

class WriteBehindWriter implements BlobWriter {
  readonly #options: WriterOptions;
  #parts: Uint8Array[] = [];
  #size = 0;
  #large: BlobWriter | undefined;
  #result: Promise<StoredBlob> | undefined;

  constructor(options: WriterOptions) {
    this.#options = options;
  }

  async write(bytes: Uint8Array): Promise<void> {
    if (this.#result !== undefined) throw alreadyClosed();
    this.#size += bytes.length;
    if (this.#large === undefined && this.#size <= this.#options.smallBytesMax) {
      this.#parts.push(copyBytes(bytes));
      return;
    }
    if (this.#large === undefined) {
      this.#large = await this.#options.openLarge();
      for (const part of this.#parts.splice(0)) await this.#large.write(part);
    }
    await this.#large.write(bytes);
  }

  close(): Promise<StoredBlob> {
    this.#result ??= this.#publish();
    return this.#result;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#large?.[Symbol.asyncDispose]();
  }

  async #publish(): Promise<StoredBlob> {
    if (this.#large !== undefined) return await this.#large.close();
    const content = Buffer.concat(this.#parts);
    const digest = B3Digest.of(content);
    await this.#options.storeSmall(digest, content);
    return { digest, size: content.length };
  }
}
