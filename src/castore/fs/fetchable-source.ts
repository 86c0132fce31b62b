/**
 * A local store of which more can be fetched: what it lacks is a miss, not a hole.
 */
import { isStoreError, StoreError } from "../../base/errors.js";
import type { B3Digest } from "../digest.js";
import type { Directory } from "../directory.js";
import { type Capacity, Miss } from "./file-system.js";
import type { ResidentSource } from "./projection.js";

/** What to fetch. Digests are in hex: a view of bytes would take its whole buffer along between threads. */
export type CastoreWant =
  | { readonly type: "directory"; readonly digest: string }
  | { readonly type: "blob"; readonly digest: string };

/** Which kinds can be fetched; of the others, what is missing is a hole. */
export interface FetchableKinds {
  readonly blobs: boolean;
  readonly directories: boolean;
}

/** What has been fetched and is not in the local store yet. Keys are digests in hex. */
export interface FreshObjects {
  directory(digest: string): Directory | undefined;
  blob(digest: string): Uint8Array | undefined;
}

/** Throws `Miss` with a {@link CastoreWant} for what is missing and can be fetched, else as `inner`. */
export class FetchableSource implements ResidentSource {
  readonly #inner: ResidentSource;
  readonly #kinds: FetchableKinds;
  readonly #fresh: FreshObjects | undefined;

  /** `fresh` is for the thread that fetches; others find what it fetched once it is stored. */
  constructor(inner: ResidentSource, kinds: FetchableKinds, fresh?: FreshObjects) {
    this.#inner = inner;
    this.#kinds = kinds;
    this.#fresh = fresh;
  }

  refresh(): void {
    this.#inner.refresh();
  }

  directory(digest: B3Digest): Directory {
    try {
      return this.#inner.directory(digest);
    } catch (error) {
      const fresh = this.#fresh?.directory(digest.hex);
      if (fresh !== undefined) return fresh;
      throw this.#kinds.directories ? missOr(error, "directory", digest) : error;
    }
  }

  read(digest: B3Digest, size: number, offset: number, target: Uint8Array): number {
    try {
      return this.#inner.read(digest, size, offset, target);
    } catch (error) {
      const fresh = this.#fresh?.blob(digest.hex);
      if (fresh !== undefined) return copyPart(fresh, digest, size, offset, target);
      throw this.#kinds.blobs ? missOr(error, "blob", digest) : error;
    }
  }

  blobFile(digest: B3Digest, size: number): string | undefined {
    try {
      return this.#inner.blobFile(digest, size);
    } catch (error) {
      // What is fresh is small, and small blobs are no files.
      if (this.#fresh?.blob(digest.hex) !== undefined) return undefined;
      throw this.#kinds.blobs ? missOr(error, "blob", digest) : error;
    }
  }

  capacity(): Capacity {
    return this.#inner.capacity();
  }
}

function copyPart(
  content: Uint8Array,
  digest: B3Digest,
  size: number,
  offset: number,
  target: Uint8Array,
): number {
  if (content.length !== size) {
    throw new StoreError(
      "corrupt",
      `Blob ${digest} has ${content.length} bytes, its directory says ${size}`,
    );
  }
  const part = content.subarray(offset, offset + target.length);
  target.set(part);
  return part.length;
}

function missOr(error: unknown, type: CastoreWant["type"], digest: B3Digest): unknown {
  if (!isStoreError(error, "dangling-reference")) return error;
  return new Miss({ type, digest: digest.hex } satisfies CastoreWant);
}
