/**
 * Trees that are shown before their content is here: their directories are known, their files are not.
 */
import { isStoreError } from "../../base/errors.js";
import type { B3Digest } from "../digest.js";
import type { Directory } from "../directory.js";
import { INLINE_BYTES_MAX } from "../local/blob-record.js";
import { type Capacity, Miss } from "./file-system.js";
import type { ResidentSource } from "./projection.js";

/** The content of the file with this made-up digest, in hex. */
export interface ProvisionalWant {
  readonly type: "provisional-file";
  readonly digest: string;
}

/** What is known of such trees. Only the thread that fetches knows any. */
export interface ProvisionalObjects {
  directory(digest: B3Digest): Directory | undefined;
  /** Of a file with a made-up digest; `undefined` when `digest` is not made up. */
  file(digest: B3Digest): ProvisionalFile | undefined;
}

export interface ProvisionalFile {
  /** The blob it was found to be; `undefined` while that is not known. */
  readonly blob: B3Digest | undefined;
}

/** Reads made-up digests as what they stand for, or throws `Miss` with a {@link ProvisionalWant}. */
export class ProvisionalSource implements ResidentSource {
  readonly #inner: ResidentSource;
  readonly #objects: ProvisionalObjects;

  constructor(inner: ResidentSource, objects: ProvisionalObjects) {
    this.#inner = inner;
    this.#objects = objects;
  }

  refresh(): void {
    this.#inner.refresh();
  }

  directory(digest: B3Digest): Directory {
    try {
      return this.#inner.directory(digest);
    } catch (error) {
      const known = isStoreError(error, "dangling-reference") && this.#objects.directory(digest);
      if (!known) throw error;
      return known;
    }
  }

  read(digest: B3Digest, size: number, offset: number, target: Uint8Array): number {
    if (offset >= size) return 0;
    return this.#inner.read(this.#blobOf(digest), size, offset, target);
  }

  blobFile(digest: B3Digest, size: number): string | undefined {
    // Small blobs are no files, and need not be fetched for that to be known.
    if (size <= INLINE_BYTES_MAX && this.#objects.file(digest) !== undefined) return undefined;
    return this.#inner.blobFile(this.#blobOf(digest), size);
  }

  capacity(): Capacity {
    return this.#inner.capacity();
  }

  #blobOf(digest: B3Digest): B3Digest {
    const file = this.#objects.file(digest);
    if (file === undefined) return digest;
    if (file.blob !== undefined) return file.blob;
    throw new Miss({
      type: "provisional-file",
      digest: digest.hex,
    } satisfies ProvisionalWant);
  }
}
