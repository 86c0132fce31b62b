/**
 * Attributes as stat(2) shows them: read-only, owned by root, with one time for all three stamps.
 */
import type { Attributes, Capacity, InodeType } from "../castore/fs/file-system.js";

const S_IFDIR = 0o040000;
const S_IFREG = 0o100000;
const S_IFLNK = 0o120000;

/** The unit of `blocks`, fixed by stat(2) whatever the block size. */
const STAT_BLOCK_BYTES = 512;

/** What programs take as a good size for one read. */
const IO_BLOCK_BYTES = 4096;

/** The fields of a stat structure. Times are in milliseconds since the epoch, `size` is in bytes. */
export interface Stat {
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly size: number;
  readonly nlink: number;
  readonly ino: number;
  readonly blksize: number;
  readonly blocks: number;
  readonly atime: number;
  readonly mtime: number;
  readonly ctime: number;
}

export function statFrom(attributes: Attributes): Stat {
  const { size, mtimeMs } = attributes;
  return {
    mode: modeFrom(attributes.type, attributes.executable),
    uid: 0,
    gid: 0,
    size,
    // Directories too: find(1) takes 2 or more to mean "nlink - 2 subdirectories" and stops early.
    nlink: 1,
    ino: attributes.inode,
    blksize: IO_BLOCK_BYTES,
    blocks: attributes.type === "file" ? Math.ceil(size / STAT_BLOCK_BYTES) : 0,
    atime: mtimeMs,
    mtime: mtimeMs,
    ctime: mtimeMs,
  };
}

/** File type and permission bits. */
export function modeFrom(type: InodeType, executable: boolean): number {
  switch (type) {
    case "directory":
      return S_IFDIR | 0o555;
    case "file":
      return S_IFREG | (executable ? 0o555 : 0o444);
    case "symlink":
      return S_IFLNK | 0o777;
  }
}

/** The fields of a statvfs structure that are not zero; `blocks` and `bfree` count `frsize` bytes. */
export interface StatFs {
  readonly bsize: number;
  readonly frsize: number;
  readonly blocks: number;
  readonly bfree: number;
  readonly bavail: number;
  readonly files: number;
  readonly namemax: number;
}

/** Counts above this do not fit the 32-bit fields of the narrowest engine. */
const COUNT_MAX = 0xffff_ffff;

export function statFsFrom(capacity: Capacity): StatFs {
  // The unit grows until the count fits: beyond 16 TiB blocks of 4 KiB are too many.
  let unitBytes = IO_BLOCK_BYTES;
  while (capacity.totalBytes / unitBytes > COUNT_MAX) unitBytes *= 2;
  const free = Math.floor(capacity.freeBytes / unitBytes);
  return {
    bsize: unitBytes,
    frsize: unitBytes,
    blocks: Math.floor(capacity.totalBytes / unitBytes),
    bfree: free,
    bavail: free,
    files: Math.min(capacity.inodes, COUNT_MAX),
    namemax: 255,
  };
}
