/**
 * A read-only file system as mount engines see it: inodes, names and bytes, and nothing of FUSE.
 *
 * Every method is synchronous and answers from what is on this machine. All of them throw `StoreError`:
 * `not-found` for a number that means nothing, or nothing any more, `dangling-reference` or `corrupt` for a
 * hole or damage in the store, `permission-denied` where listing is off, `invalid-argument` for an operation
 * on the wrong kind of inode, `limit-exceeded` for a tree too large to be numbered.
 */

/** The inode of the mount's root. All numbers are safe integers. */
export const ROOT_INODE = 1;

export type InodeType = "directory" | "file" | "symlink";

export interface Attributes {
  /** Stable while the file system is mounted; every position in the tree has its own. */
  readonly inode: number;
  readonly type: InodeType;
  readonly executable: boolean;
  /** Files: bytes. Symlinks: length of the target. Directories: entries below, as the parent states. */
  readonly size: number;
  /** Last change in milliseconds since the epoch. 1000 below a root: Nix's canonical time. */
  readonly mtimeMs: number;
}

/**
 * The entries of one directory, without `.` and `..`. Entries that come later are listed last, so that a
 * listing can be left at any entry and taken up again in another one of the same directory.
 */
export interface Listing {
  readonly count: number;
  /** The name of entry `index`: raw bytes, not to be written to. */
  name(index: number): Uint8Array;
  attributes(index: number): Attributes;
  /** A number above 0 that marks the place after entry `index` in every listing of this directory. */
  cookie(index: number): number;
  /** The first entry after the place that `cookie` marks; 0 marks the beginning. */
  indexAfter(cookie: number): number;
}

/** What `statfs` tells, in bytes and numbers of inodes. */
export interface Capacity {
  readonly totalBytes: number;
  readonly freeBytes: number;
  readonly inodes: number;
}

export interface FileSystem {
  /** The entry called `name`, byte for byte; `undefined` when there is none. */
  lookup(parent: number, name: Uint8Array): Attributes | undefined;

  attributes(inode: number): Attributes;

  list(inode: number): Listing;

  /** The target of a symlink. */
  readLink(inode: number): Uint8Array;

  /**
   * Fills `target` with the bytes of a file from `offset` on.
   *
   * @returns how many bytes were written: short only at the end of the file.
   */
  read(inode: number, offset: number, target: Uint8Array): number;

  /**
   * The path of a plain file on this machine that holds the whole content of a file, for the kernel to
   * read itself; `undefined` when there is none. The answer for an inode does not change.
   */
  backingFile(inode: number): string | undefined;

  /** Extended attributes by name, in a fixed order; values are text. */
  extendedAttributes(inode: number): ReadonlyMap<string, string>;

  capacity(): Capacity;
}

/**
 * Thrown by a file system when what it needs is not on this machine but may be fetched. Once it is here,
 * the same call can be made again.
 */
export class Miss extends Error {
  override readonly name = "Miss";
  /** What is needed, for whoever fetches it; can be sent to another thread. */
  readonly want: unknown;

  constructor(want: unknown) {
    super("Not on this machine");
    this.want = want;
  }
}
