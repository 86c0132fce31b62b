/**
 * Room on the disk for what a commit will write, taken before LMDB begins to write it.
 *
 * The LMDB inside the binding must not meet a full disk: it words that error into a buffer of 100 bytes, which
 * is too short for some of its numbers, and damages the heap. So the file is made long enough first, where the
 * disk can still say no. On file systems that write changed pages elsewhere (btrfs, ZFS) only the look at the
 * free space helps.
 */
import { closeSync, fstatSync, openSync, statfsSync, statSync } from "node:fs";
import { join } from "node:path";
import { getSystemErrorMap } from "node:util";
import { StoreError } from "../../base/errors.js";
import { libc } from "../../base/libc.js";

/** For pages that every commit changes, and for the branches of deep trees. */
const SPARE_PAGES = 128;
/** A leaf and its branch are written anew. */
const PAGES_PER_WRITE = 2;
/** What LMDB keeps beside a key and its value, at most. */
const ENTRY_BYTES = 64;
/** Longer values get pages of their own, at half a page. */
const SHARED_VALUE_BYTES_MAX = 2000;
/** Pages that were split are half empty. */
const SPLIT = 2;
/** The file grows by whole steps, so that few commits have to wait for it. */
const STEP_BYTES = 1024 * 1024;
/** What LMDB needs to begin a new index. */
const NEW_INDEX_BYTES = 1024 * 1024;

const ENOSPC = 28;

export class IndexRoom {
  readonly #path: string;
  readonly #pageBytes: number;
  #file: number | undefined;
  #pages = 0;

  /** `path` is the file of LMDB's pages, each of `pageBytes`. */
  constructor(path: string, pageBytes: number) {
    this.#path = path;
    this.#pageBytes = pageBytes;
  }

  /** Counts what the commit under way will write: an entry, or the lack of one. */
  willWrite(keyBytes: number, valueBytes: number): void {
    const own = valueBytes > SHARED_VALUE_BYTES_MAX ? valueBytes + ENTRY_BYTES : 0;
    const shared = keyBytes + ENTRY_BYTES + (own > 0 ? 0 : valueBytes);
    this.#pages +=
      PAGES_PER_WRITE + Math.ceil(own / this.#pageBytes) + (shared * SPLIT) / this.#pageBytes;
  }

  /**
   * Makes room for what was counted. Only inside the commit, where no other process writes; `lastPage` is the
   * last page that was in use before.
   *
   * @throws {StoreError} `unavailable` when there is none.
   */
  take(lastPage: number): void {
    const bytes = (Math.ceil(this.#pages) + SPARE_PAGES) * this.#pageBytes;
    this.#pages = 0;
    requireFree(this.#path, bytes);
    this.#file ??= openSync(this.#path, "r+");
    const { size } = fstatSync(this.#file);
    const missing = (lastPage + 1) * this.#pageBytes + bytes - size;
    if (missing <= 0) return;
    const step = Math.ceil(missing / STEP_BYTES) * STEP_BYTES;
    const failure = libc().posix_fallocate(this.#file, size, step);
    if (failure !== 0) throw noRoom(failure);
  }

  close(): void {
    if (this.#file !== undefined) closeSync(this.#file);
  }
}

/**
 * Makes sure that there is room for an index in `folder` when there is none yet.
 *
 * @throws {StoreError} `unavailable` when there is none.
 */
export function requireRoomForIndex(folder: string): void {
  const begun = statSync(join(folder, "data.mdb"), { throwIfNoEntry: false });
  if (begun === undefined || begun.size === 0) requireFree(folder, NEW_INDEX_BYTES);
}

function requireFree(path: string, bytes: number): void {
  const { bavail, bsize } = statfsSync(path);
  if (bavail * bsize < bytes) throw noRoom(ENOSPC);
}

function noRoom(errno: number): StoreError {
  const reason = getSystemErrorMap().get(-errno)?.[1] ?? `error ${errno}`;
  return new StoreError("unavailable", `Cannot write the index of the store: ${reason}`);
}
