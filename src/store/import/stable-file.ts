/**
 * Reading files and folders that must not change meanwhile.
 *
 * The calls are synchronous: reading 20,000 small files that are in the page cache takes 0.2 s this way and
 * 1.2 s with promises, for 1.9 s against 1.3 s when they come from the disk.
 */
import type { BigIntStats } from "node:fs";
import { closeSync, constants, fstatSync, openSync, readSync } from "node:fs";
import { entryPath } from "../../base/entry-path.js";
import { StoreError } from "../../base/errors.js";
import { changed, treeError, unsupportedType } from "./tree-error.js";

// A path that turned into a link, fifo or device since it was listed must neither be followed nor block.
const OPEN_FILE = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;
const OPEN_FOLDER = OPEN_FILE | constants.O_DIRECTORY;

/** An open file or folder and what it was like when it was opened. */
export class StableFile {
  /** The path as the user knows it, for messages. */
  readonly path: Uint8Array;
  readonly #descriptor: number;
  readonly #opened: BigIntStats;

  private constructor(path: Uint8Array, descriptor: number, opened: BigIntStats) {
    this.path = path;
    this.#descriptor = descriptor;
    this.#opened = opened;
  }

  /** Opens the regular file at `location`. */
  static openFile(location: Uint8Array, path: Uint8Array): StableFile {
    const file = StableFile.#open(location, path, OPEN_FILE);
    if (file.#opened.isFile()) return file;
    file.close();
    throw unsupportedType(path, typeOf(file.#opened));
  }

  static openFolder(location: Uint8Array, path: Uint8Array): StableFile {
    return StableFile.#open(location, path, OPEN_FOLDER);
  }

  static #open(location: Uint8Array, path: Uint8Array, flags: number): StableFile {
    try {
      const descriptor = openSync(location as Buffer, flags);
      return new StableFile(path, descriptor, fstatSync(descriptor, { bigint: true }));
    } catch (error) {
      throw treeError(path, error);
    }
  }

  /** Bytes. */
  get size(): number {
    return Number(this.#opened.size);
  }

  get executable(): boolean {
    return (this.#opened.mode & BigInt(constants.S_IXUSR)) !== 0n;
  }

  /** Where entries of this folder are to be opened: not through names that may point elsewhere by now. */
  locate(name: Uint8Array): Buffer {
    return entryPath(this.#descriptor, name);
  }

  /**
   * Fills `target` from `offset` on.
   *
   * @throws {StoreError} `unavailable` when the file ends before `target` is full: it changed.
   */
  read(target: Uint8Array, offset: number): void {
    try {
      for (let filled = 0; filled < target.length; ) {
        const rest = target.length - filled;
        const count = readSync(this.#descriptor, target, filled, rest, offset + filled);
        if (count === 0) throw changed(this.path);
        filled += count;
      }
    } catch (error) {
      throw error instanceof StoreError ? error : treeError(this.path, error);
    }
  }

  /** @throws {StoreError} `unavailable` when it is not what it was when it was opened. */
  verifyUnchanged(): void {
    const now = fstatSync(this.#descriptor, { bigint: true });
    const then = this.#opened;
    if (now.size !== then.size || now.mtimeNs !== then.mtimeNs || now.ctimeNs !== then.ctimeNs) {
      throw changed(this.path);
    }
  }

  close(): void {
    closeSync(this.#descriptor);
  }
}

/** What `Stats` and `Dirent` tell about the kind of a file. */
export interface FileKind {
  isFile(): boolean;
  isDirectory(): boolean;
  isSymbolicLink(): boolean;
  isSocket(): boolean;
  isFIFO(): boolean;
  isCharacterDevice(): boolean;
  isBlockDevice(): boolean;
}

/** What to call a file of this kind in a message. */
export function typeOf(kind: FileKind): string {
  if (kind.isSocket()) return "socket";
  if (kind.isFIFO()) return "fifo";
  if (kind.isCharacterDevice()) return "character device";
  if (kind.isBlockDevice()) return "block device";
  if (kind.isDirectory()) return "folder";
  if (kind.isSymbolicLink()) return "symlink";
  return "file of an unknown kind";
}
