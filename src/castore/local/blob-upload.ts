import { type FileHandle, unlink } from "node:fs/promises";
import { createUploadFile } from "./upload-file.js";

/** So much is left to the system before the disk is set to work: then little is left to wait for at the end. */
const SYNC_BYTES = 16 * 1024 * 1024;

/** The file of a blob on its way into the local store. */
export class BlobUpload {
  readonly path: string;
  readonly #handle: FileHandle;
  /** Bytes appended. */
  #length = 0;
  /** Bytes of the file: less than that while all after it is zeros. */
  #fileLength = 0;
  /** Bytes appended when the last sync began, and whether it and those before it are done. */
  #syncedLength = 0;
  #synced: Promise<void> = Promise.resolve();

  private constructor(path: string, handle: FileHandle) {
    this.path = path;
    this.#handle = handle;
  }

  /** Makes an empty one in `folder`. */
  static async create(folder: string): Promise<BlobUpload> {
    const { path, handle } = await createUploadFile(folder);
    return new BlobUpload(path, handle);
  }

  /** `bytes` must not change until it resolves. */
  async append(bytes: Uint8Array): Promise<void> {
    const start = this.#length;
    this.#length += bytes.length;
    if (isZero(bytes)) return;
    for (let written = 0; written < bytes.length; ) {
      const rest = bytes.length - written;
      written += (await this.#handle.write(bytes, written, rest, start + written)).bytesWritten;
    }
    this.#fileLength = start + bytes.length;
    if (this.#length - this.#syncedLength < SYNC_BYTES) return;
    this.#syncedLength = this.#length;
    this.#synced = this.#synced.then(() => this.#handle.datasync());
    // Whoever waits for all of it is told of a failure.
    this.#synced.catch(() => {});
  }

  /** Resolves when all that was appended is on disk. */
  async sync(): Promise<void> {
    await this.#synced;
    if (this.#fileLength < this.#length) await this.#handle.truncate(this.#length);
    await this.#handle.datasync();
  }

  /** Lets go of the file, which stays. */
  async close(): Promise<void> {
    await this.#handle.close();
  }

  async discard(): Promise<void> {
    await this.#synced.catch(() => {});
    await this.#handle.close();
    await unlink(this.path).catch(() => {});
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
