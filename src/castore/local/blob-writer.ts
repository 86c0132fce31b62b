/**
 * Writing one blob into the local store: in memory while it is small and while there is some to spare, then into a file.
 */
import { copyBytes } from "../../base/bytes.js";
import { messageOf, StoreError } from "../../base/errors.js";
import { alreadyClosed } from "../blob/memory.js";
import type { BlobWriter, StoredBlob } from "../blob/service.js";
import { B3Digest, B3Hasher } from "../digest.js";
import { INLINE_BYTES_MAX } from "./blob-record.js";
import { BlobUpload } from "./blob-upload.js";
import type { SpareMemory } from "./spare-memory.js";

/** Where a finished blob goes. */
export interface BlobSink {
  readonly uploadFolder: string;
  /** For what has come of blobs that are too large for the index. */
  readonly memory: SpareMemory;
  /** Makes a small blob durable. `content` is the sink's to keep. */
  storeInline(digest: B3Digest, content: Uint8Array): Promise<void>;
  /** Whether the blob is in place already. */
  has(digest: B3Digest): Promise<boolean>;
  /** Makes a synced upload file the blob. */
  adopt(digest: B3Digest, size: number, uploadPath: string): Promise<void>;
}

export class LocalBlobWriter implements BlobWriter {
  readonly #sink: BlobSink;
  #size = 0;
  /** What has come of a blob that has no file: in parts while it is small, then in one piece of memory. */
  #parts: Uint8Array[] = [];
  #memory: Uint8Array | undefined;
  #upload: BlobUpload | undefined;
  /** Of a blob whose file was begun before all of it had come. */
  #hasher: B3Hasher | undefined;
  #result: Promise<StoredBlob> | undefined;

  constructor(sink: BlobSink) {
    this.#sink = sink;
  }

  async write(bytes: Uint8Array): Promise<void> {
    if (this.#result !== undefined) throw alreadyClosed();
    const start = this.#size;
    this.#size += bytes.length;
    if (this.#upload === undefined && this.#gather(bytes, start)) return;
    try {
      await this.#append(bytes, start);
    } catch (error) {
      // A blob with a hole where this piece belongs must not come about.
      this.#end(uploadFailure(error));
      throw uploadFailure(error);
    }
  }

  close(): Promise<StoredBlob> {
    this.#result ??= this.#publish();
    return this.#result;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#result === undefined) this.#end(alreadyClosed());
    await this.#result?.catch(() => {});
    await this.#discard();
  }

  /** Nothing comes of it any more. */
  #end(reason: StoreError): void {
    this.#result = Promise.reject(reason);
    // Whoever closes it is told.
    this.#result.catch(() => {});
  }

  /** Keeps `bytes`, which begin at `start`, in memory; `false` when there is no room. */
  #gather(bytes: Uint8Array, start: number): boolean {
    const size = start + bytes.length;
    if (size <= INLINE_BYTES_MAX) {
      this.#parts.push(copyBytes(bytes));
      return true;
    }
    const { memory } = this.#sink;
    if (size > memory.pieceBytes) return false;
    if (this.#memory === undefined) {
      this.#memory = memory.take();
      if (this.#memory === undefined) return false;
      this.#memory.set(Buffer.concat(this.#parts.splice(0)));
    }
    this.#memory.set(bytes, start);
    return true;
  }

  /** The first `size` bytes, all of which are in memory. */
  #gathered(size: number): Uint8Array {
    return this.#memory?.subarray(0, size) ?? Buffer.concat(this.#parts);
  }

  async #append(bytes: Uint8Array, start: number): Promise<void> {
    this.#hasher ??= new B3Hasher();
    let upload = this.#upload;
    if (upload === undefined) {
      const gathered = this.#gathered(start);
      this.#hasher.update(gathered);
      upload = await this.#startUpload(gathered);
    }
    this.#hasher.update(bytes);
    await upload.append(bytes);
  }

  /** Makes the file, for `gathered` to begin with. */
  async #startUpload(gathered: Uint8Array): Promise<BlobUpload> {
    this.#upload = await BlobUpload.create(this.#sink.uploadFolder);
    await this.#upload.append(gathered);
    this.#forgetGathered();
    return this.#upload;
  }

  async #publish(): Promise<StoredBlob> {
    const size = this.#size;
    if (size <= INLINE_BYTES_MAX) {
      const content = this.#gathered(size);
      this.#parts = [];
      const digest = B3Digest.of(content);
      await this.#sink.storeInline(digest, content);
      return { digest, size };
    }
    try {
      const digest = this.#hasher?.finish() ?? B3Digest.of(this.#gathered(size));
      if (!(await this.#sink.has(digest))) {
        const upload = this.#upload ?? (await this.#startUpload(this.#gathered(size)));
        await upload.sync();
        await this.#sink.adopt(digest, size, upload.path);
        this.#upload = undefined;
        await upload.close();
      }
      return { digest, size };
    } catch (error) {
      throw uploadFailure(error);
    } finally {
      await this.#discard();
    }
  }

  #forgetGathered(): void {
    this.#parts = [];
    if (this.#memory !== undefined) this.#sink.memory.give(this.#memory);
    this.#memory = undefined;
  }

  async #discard(): Promise<void> {
    this.#forgetGathered();
    const upload = this.#upload;
    this.#upload = undefined;
    await upload?.discard();
  }
}

function uploadFailure(error: unknown): StoreError {
  if (error instanceof StoreError) return error;
  return new StoreError("unavailable", `Cannot write a blob into the store: ${messageOf(error)}`, {
    cause: error,
  });
}
