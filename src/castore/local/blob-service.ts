/**
 * Blobs of the local store: small ones in the index, large ones as files named by their digest.
 */
import { type FileHandle, open, stat } from "node:fs/promises";
import { errnoOf } from "../../base/errors.js";
import { markFilePlace } from "../../base/file-piece.js";
import { oneAhead } from "../../base/one-ahead.js";
import { Slab } from "../../base/slab.js";
import { BytesReader, clampRange } from "../blob/memory.js";
import type {
  BlobReader,
  BlobService,
  BlobWriter,
  ByteRange,
  ChunkMeta,
  StoredBlob,
  StreamOptions,
} from "../blob/service.js";
import { B3Digest, B3Hasher } from "../digest.js";
import { damaged, missing, unreadable } from "./blob-errors.js";
import { BlobFiles } from "./blob-files.js";
import {
  type BlobRecord,
  decodeRecord,
  encodeFile,
  encodeInline,
  INLINE_BYTES_MAX,
} from "./blob-record.js";
import { type BlobSink, LocalBlobWriter } from "./blob-writer.js";
import type { Table } from "./index-database.js";
import type { StoreLayout } from "./layout.js";
import type { Index } from "./staged-index.js";

const STREAM_BYTES = 1024 * 1024;

export class LocalBlobService implements BlobService {
  readonly #layout: StoreLayout;
  readonly #index: Index;
  readonly #table: Table;
  readonly #files: BlobFiles;
  readonly #slab = new Slab();

  constructor(layout: StoreLayout, index: Index, files = new BlobFiles(layout)) {
    this.#layout = layout;
    this.#index = index;
    this.#table = index.table("blobs");
    this.#files = files;
  }

  /** The same blobs, with what is written going through `index`. */
  through(index: Index): LocalBlobService {
    return new LocalBlobService(this.#layout, index, this.#files);
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
      return new BytesReader(this.#slab.copy(checked(record.content, digest)));
    }
    return await BlobFileReader.open(this.#layout.blobFile(digest), digest, record.size);
  }

  getResident(digest: B3Digest): Uint8Array | undefined {
    const record = this.#record(digest);
    return record?.type === "inline" ? checked(record.content, digest) : undefined;
  }

  async openWrite(): Promise<BlobWriter> {
    const sink: BlobSink = {
      uploadFolder: this.#layout.tmp,
      memory: this.#files.memory,
      storeInline: (digest, content) => this.#storeInline(digest, content),
      has: (digest) => this.has(digest),
      adopt: (digest, size, uploadPath) => this.#adopt(digest, size, uploadPath),
    };
    return new LocalBlobWriter(sink);
  }

  async putSmall(content: Uint8Array): Promise<StoredBlob> {
    if (content.length > INLINE_BYTES_MAX) {
      throw new RangeError(`A blob of ${content.length} bytes does not fit into the index`);
    }
    const digest = B3Digest.of(content);
    await this.#storeInline(digest, content);
    return { digest, size: content.length };
  }

  async chunks(digest: B3Digest): Promise<readonly ChunkMeta[] | undefined> {
    return (await this.has(digest)) ? [] : undefined;
  }

  async #storeInline(digest: B3Digest, content: Uint8Array): Promise<void> {
    const record = encodeInline(content);
    const isThere = () => this.#table.holds(digest.bytes, record);
    // Nobody waits for a staged write, and where that looks for the blob is where it puts it.
    if (!this.#index.isStaged) {
      this.#index.refresh();
      if (isThere()) return;
    }
    await this.#index.commit(() => {
      if (!isThere()) this.#table.put(digest.bytes, record);
    }, content.length);
  }

  async #adopt(digest: B3Digest, size: number, uploadPath: string): Promise<void> {
    await this.#files.adopt(digest, uploadPath);
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

function checked(content: Uint8Array, digest: B3Digest): Uint8Array {
  if (!digest.isOf(content)) throw damaged(digest);
  return content;
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

  stream(range?: ByteRange, options?: StreamOptions): AsyncIterable<Uint8Array> {
    const { offset, end } = clampRange(this.size, range);
    const newTarget = options?.transient ? rotating(STREAM_BYTES) : Buffer.allocUnsafe;
    const isWhole = offset === 0 && end === this.size;
    // While a piece is used, the next one is hashed, and the one after it read.
    const pieces = oneAhead(this.#pieces(offset, end, newTarget), () => false);
    return isWhole ? oneAhead(this.#checked(pieces), () => false) : pieces;
  }

  async *#pieces(
    offset: number,
    end: number,
    newTarget: (length: number) => Buffer,
  ): AsyncGenerator<Uint8Array> {
    for (let position = offset; position < end; position += STREAM_BYTES) {
      const piece = newTarget(Math.min(STREAM_BYTES, end - position));
      await this.#fill(piece, position);
      markFilePlace(piece, { descriptor: this.#handle.fd, offset: position });
      yield piece;
    }
  }

  /** The whole blob, of which the last piece is given when all of it has the right digest. */
  async *#checked(pieces: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
    const hasher = new B3Hasher();
    let position = 0;
    for await (const piece of pieces) {
      hasher.update(piece);
      position += piece.length;
      if (position === this.size && !hasher.finish().equals(this.#digest)) {
        throw damaged(this.#digest);
      }
      yield piece;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#handle.close();
  }
}

/** Gives three pieces of memory in turn: one is used while the next is hashed and the third filled. */
function rotating(bytes: number): (length: number) => Buffer {
  const buffers: Buffer[] = [];
  let turn = 0;
  return (length) => {
    turn = (turn + 1) % 3;
    buffers[turn] ??= Buffer.allocUnsafe(bytes);
    return (buffers[turn] as Buffer).subarray(0, length);
  };
}
