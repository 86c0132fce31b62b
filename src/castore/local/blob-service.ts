/**
 * Blobs of the local store: small ones in the index, large ones as files named by their digest.
 */
import { type FileHandle, mkdir, open, rename, stat } from "node:fs/promises";
import { equalBytes } from "../../base/bytes.js";
import { errnoOf } from "../../base/errors.js";
import { Slab } from "../../base/slab.js";
import { BytesReader, clampRange } from "../blob/memory.js";
import type {
  BlobReader,
  BlobService,
  BlobWriter,
  ByteRange,
  ChunkMeta,
  StreamOptions,
} from "../blob/service.js";
import { B3Digest, B3Hasher } from "../digest.js";
import { damaged, missing, unreadable } from "./blob-errors.js";
import { type BlobRecord, decodeRecord, encodeFile, encodeInline } from "./blob-record.js";
import { type BlobSink, LocalBlobWriter } from "./blob-writer.js";
import { FolderSync } from "./folder-sync.js";
import type { Table } from "./index-database.js";
import type { StoreLayout } from "./layout.js";
import type { Index } from "./staged-index.js";

const STREAM_BYTES = 1024 * 1024;

export class LocalBlobService implements BlobService {
  readonly #layout: StoreLayout;
  readonly #index: Index;
  readonly #table: Table;
  readonly #folders = new FolderSync();
  readonly #slab = new Slab();

  constructor(layout: StoreLayout, index: Index) {
    this.#layout = layout;
    this.#index = index;
    this.#table = index.table("blobs");
  }

  async has(digest: B3Digest): Promise<boolean> {
    const record = this.#record(digest);
    if (record?.type !== "file") return record !== undefined;
    return (await this.#fileSize(digest)) === record.size;
  }

  async openRead(digest: B3Digest): Promise<BlobReader | undefined> {
    const record = this.#record(digest);
    if (record === undefined) return undefined;
    if (record.type === "inline") {
      if (!B3Digest.of(record.content).equals(digest)) throw damaged(digest);
      return new BytesReader(this.#slab.copy(record.content));
    }
    return await BlobFileReader.open(this.#layout.blobFile(digest), digest, record.size);
  }

  async openWrite(): Promise<BlobWriter> {
    const sink: BlobSink = {
      uploadFolder: this.#layout.tmp,
      storeInline: (digest, content) => this.#storeInline(digest, content),
      has: (digest) => this.has(digest),
      adopt: (digest, size, uploadPath) => this.#adopt(digest, size, uploadPath),
    };
    return new LocalBlobWriter(sink);
  }

  async chunks(digest: B3Digest): Promise<readonly ChunkMeta[] | undefined> {
    return (await this.has(digest)) ? [] : undefined;
  }

  async #storeInline(digest: B3Digest, content: Uint8Array): Promise<void> {
    // Nobody waits for a staged write, and where that looks for the blob is where it puts it.
    if (!this.#index.isStaged && this.#hasInline(digest, content)) return;
    await this.#index.commit(() => {
      const record = encodeInline(content);
      const present = this.#table.peek(digest.bytes);
      if (present !== undefined && equalBytes(present, record)) return;
      this.#table.put(digest.bytes, record);
    }, content.length);
  }

  #hasInline(digest: B3Digest, content: Uint8Array): boolean {
    const record = this.#record(digest);
    return record?.type === "inline" && equalBytes(record.content, content);
  }

  async #adopt(digest: B3Digest, size: number, uploadPath: string): Promise<void> {
    const folder = this.#layout.blobFolder(digest);
    if ((await mkdir(folder, { recursive: true })) !== undefined) {
      await this.#folders.sync(this.#layout.blobs);
    }
    await rename(uploadPath, this.#layout.blobFile(digest));
    await this.#folders.sync(folder);
    await this.#index.commit(() => this.#table.put(digest.bytes, encodeFile(size)), 64);
  }

  /** An inline content is valid until the next call. */
  #record(digest: B3Digest): BlobRecord | undefined {
    this.#index.refresh();
    const value = this.#table.peek(digest.bytes);
    return value === undefined ? undefined : decodeRecord(value, digest);
  }

  async #fileSize(digest: B3Digest): Promise<number | undefined> {
    try {
      return (await stat(this.#layout.blobFile(digest))).size;
    } catch (error) {
      if (errnoOf(error) === "ENOENT") return undefined;
      throw unreadable(digest, error);
    }
  }
}

class BlobFileReader implements BlobReader {
  readonly size: number;
  readonly #digest: B3Digest;
  readonly #handle: FileHandle;

  private constructor(handle: FileHandle, digest: B3Digest, size: number) {
    this.#handle = handle;
    this.#digest = digest;
    this.size = size;
  }

  static async open(path: string, digest: B3Digest, size: number): Promise<BlobFileReader> {
    let handle: FileHandle;
    try {
      handle = await open(path, "r");
    } catch (error) {
      if (errnoOf(error) === "ENOENT") throw missing(digest);
      throw unreadable(digest, error);
    }
    const reader = new BlobFileReader(handle, digest, size);
    const found = (await handle.stat()).size;
    if (found === size) return reader;
    await handle.close();
    throw damaged(digest, `its file has ${found} bytes instead of ${size}`);
  }

  async read(offset: number, length: number): Promise<Uint8Array> {
    const { end } = clampRange(this.size, { offset, length });
    return await this.#fill(Buffer.allocUnsafe(Math.max(end - offset, 0)), offset);
  }

  async #fill(target: Buffer, offset: number): Promise<Buffer> {
    for (let filled = 0; filled < target.length; ) {
      const { bytesRead } = await this.#handle
        .read(target, filled, target.length - filled, offset + filled)
        .catch((error: unknown) => {
          throw unreadable(this.#digest, error);
        });
      if (bytesRead === 0) throw damaged(this.#digest, "its file ends early");
      filled += bytesRead;
    }
    return target;
  }

  async *stream(range?: ByteRange, options?: StreamOptions): AsyncIterable<Uint8Array> {
    const { offset, end } = clampRange(this.size, range);
    const hasher = offset === 0 && end === this.size ? new B3Hasher() : undefined;
    const newTarget = options?.transient ? alternating(STREAM_BYTES) : Buffer.allocUnsafe;
    const readAt = (position: number) =>
      this.#fill(newTarget(Math.min(STREAM_BYTES, end - position)), position);
    let next: Promise<Buffer> | undefined = offset < end ? readAt(offset) : undefined;
    let position = offset;
    try {
      while (next !== undefined) {
        const part: Buffer = await next;
        position += part.length;
        // While this part is hashed and used, the disk gives the next.
        next = position < end ? readAt(position) : undefined;
        // It may fail while nobody waits for it.
        next?.catch(() => {});
        hasher?.update(part);
        if (next === undefined && hasher !== undefined && !hasher.finish().equals(this.#digest)) {
          throw damaged(this.#digest);
        }
        yield part;
      }
    } finally {
      await next?.catch(() => {});
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#handle.close();
  }
}

/** Gives two pieces of memory in turn: one is used while the other is filled. */
function alternating(bytes: number): (length: number) => Buffer {
  const buffers: Buffer[] = [];
  let turn = 0;
  return (length) => {
    turn = 1 - turn;
    buffers[turn] ??= Buffer.allocUnsafe(bytes);
    return (buffers[turn] as Buffer).subarray(0, length);
  };
}
