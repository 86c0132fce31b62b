/**
 * Writing one blob into the local store: in memory while it is small, then into an upload file.
 */
import { type FileHandle, unlink } from "node:fs/promises";
import { copyBytes } from "../../base/bytes.js";
import { messageOf, StoreError } from "../../base/errors.js";
import { alreadyClosed } from "../blob/memory.js";
import type { BlobWriter, StoredBlob } from "../blob/service.js";
import { B3Digest, B3Hasher } from "../digest.js";
import { INLINE_BYTES_MAX } from "./blob-record.js";
import { createUploadFile } from "./upload-file.js";

/** Where a finished blob goes. */
export interface BlobSink {
  readonly uploadFolder: string;
  /** Makes a small blob durable. `content` is the sink's to keep. */
  storeInline(digest: B3Digest, content: Uint8Array): Promise<void>;
  /** Whether the blob is in place already. */
  has(digest: B3Digest): Promise<boolean>;
  /** Makes a synced upload file the blob. */
  adopt(digest: B3Digest, size: number, uploadPath: string): Promise<void>;
}

/** So much is left to the system before the disk is set to work: then little is left to wait for at the end. */
const SYNC_BYTES = 16 * 1024 * 1024;

interface Upload {
  readonly path: string;
  readonly handle: FileHandle;
  readonly hasher: B3Hasher;
  /** Bytes appended. */
  length: number;
  /** Bytes of the file: less than that while all after it is zeros. */
  fileLength: number;
  /** Bytes appended when the last sync began, and whether it and those before it are done. */
  syncedLength: number;
  synced: Promise<void>;
}

export class LocalBlobWriter implements BlobWriter {
  readonly #sink: BlobSink;
  #parts: Uint8Array[] = [];
  #size = 0;
  #upload: Upload | undefined;
  #result: Promise<StoredBlob> | undefined;

  constructor(sink: BlobSink) {
    this.#sink = sink;
  }

  async write(bytes: Uint8Array): Promise<void> {
    if (this.#result !== undefined) throw alreadyClosed();
    this.#size += bytes.length;
    if (this.#upload === undefined && this.#size <= INLINE_BYTES_MAX) {
      this.#parts.push(copyBytes(bytes));
      return;
    }
    try {
      await this.#append(bytes);
    } catch (error) {
      // A blob with a hole where this piece belongs must not come about.
      this.#result = Promise.reject(uploadFailure(error));
      this.#result.catch(() => {});
      throw uploadFailure(error);
    }
  }

  close(): Promise<StoredBlob> {
    this.#result ??= this.#publish();
    return this.#result;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#result?.catch(() => {});
    await this.#discard();
  }

  async #append(bytes: Uint8Array): Promise<void> {
    if (this.#upload === undefined) {
      const file = await createUploadFile(this.#sink.uploadFolder);
      this.#upload = {
        ...file,
        hasher: new B3Hasher(),
        length: 0,
        fileLength: 0,
        syncedLength: 0,
        synced: Promise.resolve(),
      };
      for (const part of this.#parts) await this.#append(part);
      this.#parts = [];
    }
    const upload = this.#upload;
    upload.hasher.update(bytes);
    const start = upload.length;
    upload.length += bytes.length;
    if (isZero(bytes)) return;
    for (let written = 0; written < bytes.length; ) {
      const rest = bytes.length - written;
      written += (await upload.handle.write(bytes, written, rest, start + written)).bytesWritten;
    }
    upload.fileLength = start + bytes.length;
    if (upload.length - upload.syncedLength < SYNC_BYTES) return;
    upload.syncedLength = upload.length;
    upload.synced = upload.synced.then(() => upload.handle.datasync());
    // Whoever closes the blob is told of a failure.
    upload.synced.catch(() => {});
  }

  async #publish(): Promise<StoredBlob> {
    const size = this.#size;
    const upload = this.#upload;
    if (upload === undefined) {
      const content = Buffer.concat(this.#parts);
      this.#parts = [];
      const digest = B3Digest.of(content);
      await this.#sink.storeInline(digest, content);
      return { digest, size };
    }
    try {
      const digest = upload.hasher.finish();
      if (await this.#sink.has(digest)) {
        await this.#discard();
      } else {
        await upload.synced;
        if (upload.fileLength < size) await upload.handle.truncate(size);
        await upload.handle.datasync();
        await this.#sink.adopt(digest, size, upload.path);
        this.#upload = undefined;
        await upload.handle.close();
      }
      return { digest, size };
    } catch (error) {
      await this.#discard();
      throw uploadFailure(error);
    }
  }

  async #discard(): Promise<void> {
    const upload = this.#upload;
    if (upload === undefined) return;
    this.#upload = undefined;
    await upload.synced.catch(() => {});
    await upload.handle.close();
    await unlink(upload.path).catch(() => {});
  }
}

const ZEROS = Buffer.alloc(64 * 1024);

/** Whether a piece can be left out of the file: a hole reads the same and takes no space. */
function isZero(bytes: Uint8Array): boolean {
  for (let at = 0; at < bytes.length; at += ZEROS.length) {
    const part = bytes.subarray(at, at + ZEROS.length);
    if (Buffer.compare(part, ZEROS.subarray(0, part.length)) !== 0) return false;
  }
  return true;
}

function uploadFailure(error: unknown): StoreError {
  if (error instanceof StoreError) return error;
  return new StoreError("unavailable", `Cannot write a blob into the store: ${messageOf(error)}`, {
    cause: error,
  });
}
