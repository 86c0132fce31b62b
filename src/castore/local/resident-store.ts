/**
 * The synchronous face of a local store: what a mount reads from. Every thread that serves a mount has one
 * of its own on the same index and blob files.
 */
import { closeSync, openSync, readSync, statfsSync } from "node:fs";
import { LRUCache } from "lru-cache";
import { errnoOf, StoreError } from "../../base/errors.js";
import type { B3Digest } from "../digest.js";
import type { Directory } from "../directory.js";
import { damaged, missing, unreadable } from "./blob-errors.js";
import { decodeRecord } from "./blob-record.js";
import { readDirectory } from "./directory-service.js";
import type { IndexDatabase, Table } from "./index-database.js";
import type { LocalStore } from "./store.js";

/** What a mount reads from; may all be one store. They stay the caller's to close. */
export interface ResidentStores {
  readonly blobs: LocalStore;
  readonly directories: LocalStore;
  readonly pathInfos: LocalStore;
}

const OPEN_FILES_MAX = 256;

export class ResidentStore implements Disposable {
  readonly #stores: ResidentStores;
  readonly #indexes: readonly IndexDatabase[];
  readonly #blobs: Table;
  readonly #directories: Table;
  /** Descriptors of blob files by hex digest. */
  readonly #files = new LRUCache<string, number>({
    max: OPEN_FILES_MAX,
    dispose: (file) => closeSync(file),
  });

  constructor(stores: ResidentStores) {
    this.#stores = stores;
    const { blobs, directories, pathInfos } = stores;
    this.#indexes = [...new Set([blobs.index, directories.index, pathInfos.index])];
    this.#blobs = stores.blobs.index.table("blobs");
    this.#directories = stores.directories.index.table("directories");
  }

  /** Sees from now on what other threads and processes have committed. */
  refresh(): void {
    for (const index of this.#indexes) index.refresh();
  }

  /**
   * One directory, checked against its digest.
   *
   * @throws {StoreError} `dangling-reference` when it is not there, `corrupt` when it is damaged.
   */
  directory(digest: B3Digest): Directory {
    const directory = readDirectory(this.#directories, digest);
    if (directory !== undefined) return directory;
    throw new StoreError("dangling-reference", `Directory ${digest} is missing from the store`);
  }

  /**
   * Fills `target` with the bytes of a blob of `size` bytes from `offset` on.
   *
   * @returns how many bytes were written: short only at the end of the blob.
   * @throws {StoreError} `dangling-reference` when it is not there, `corrupt` when it has another size
   *   or, for a small blob, another digest.
   */
  read(digest: B3Digest, size: number, offset: number, target: Uint8Array): number {
    const wanted = Math.min(target.length, Math.max(size - offset, 0));
    const value = this.#blobs.peek(digest.bytes);
    if (value === undefined) throw missing(digest);
    const record = decodeRecord(value, digest);
    if (record.type === "file") {
      if (record.size !== size) throw wrongSize(digest, record.size, size);
      return this.#readFile(digest, offset, target, wanted);
    }
    if (record.content.length !== size) throw wrongSize(digest, record.content.length, size);
    if (!digest.isOf(record.content)) throw damaged(digest);
    target.set(record.content.subarray(offset, offset + wanted));
    return wanted;
  }

  /**
   * The file that holds a blob of `size` bytes; `undefined` for one in the index.
   *
   * @throws {StoreError} `dangling-reference` when it is not there, `corrupt` when it has another size.
   */
  blobFile(digest: B3Digest, size: number): string | undefined {
    const value = this.#blobs.peek(digest.bytes);
    if (value === undefined) throw missing(digest);
    const record = decodeRecord(value, digest);
    if (record.type === "inline") return undefined;
    if (record.size !== size) throw wrongSize(digest, record.size, size);
    return this.#stores.blobs.layout.blobFile(digest);
  }

  capacity(): { totalBytes: number; freeBytes: number; inodes: number } {
    const { bsize, blocks, bavail } = statfsSync(this.#stores.blobs.layout.root);
    return {
      totalBytes: bsize * blocks,
      freeBytes: bsize * bavail,
      inodes: this.#blobs.count + this.#directories.count,
    };
  }

  /** Closes the blob files. */
  [Symbol.dispose](): void {
    this.#files.clear();
  }

  #readFile(digest: B3Digest, offset: number, target: Uint8Array, wanted: number): number {
    try {
      const file = this.#open(digest);
      for (let filled = 0; filled < wanted; ) {
        const count = readSync(file, target, filled, wanted - filled, offset + filled);
        if (count === 0) throw damaged(digest, "its file ends early");
        filled += count;
      }
      return wanted;
    } catch (error) {
      throw error instanceof StoreError ? error : unreadable(digest, error);
    }
  }

  #open(digest: B3Digest): number {
    const known = this.#files.get(digest.hex);
    if (known !== undefined) return known;
    try {
      const file = openSync(this.#stores.blobs.layout.blobFile(digest), "r");
      this.#files.set(digest.hex, file);
      return file;
    } catch (error) {
      throw errnoOf(error) === "ENOENT" ? missing(digest) : error;
    }
  }
}

function wrongSize(digest: B3Digest, found: number, stated: number): StoreError {
  return damaged(digest, `it has ${found} bytes, its directory says ${stated}`);
}
