/**
 * What happens when a file is opened. Which of the ways is fixed for a whole mount: once the kernel has been
 * told that no open needs asking, it asks for none.
 */
import { openSync } from "node:fs";
import { constants } from "node:os";
import { isStoreError } from "../../base/errors.js";
import type { FileSystem } from "../../castore/fs/file-system.js";
import { ReplyError } from "../errno.js";
import { type Connection, FEATURE, has } from "../protocol/init.js";
import type { FuseReply } from "../protocol/reply.js";
import { BackingFiles } from "./backing-files.js";

const { ENOSYS } = constants.errno;

export interface OpenFiles {
  /** Answers OPEN of `inode` in `reply`, or throws a `ReplyError`. */
  open(inode: number, reply: FuseReply): void;
  /** The last user of an OPEN of `inode` that was answered with `handle` is gone. */
  release(inode: number, handle: number): void;
}

const OPEN_DIRECT_IO = 1 << 0;
export const OPEN_KEEP_CACHE = 1 << 1;
export const OPEN_CACHE_DIRECTORY = 1 << 3;
export const OPEN_NO_FLUSH = 1 << 5;
export const OPEN_PASSTHROUGH = 1 << 7;

const CACHED_HANDLE = 0;
const PASSTHROUGH_HANDLE = 1;

/** How this thread is to open files; `backing` is the table all threads of the mount share. */
export function openFilesFor(
  connection: Connection,
  fileSystem: FileSystem,
  device: number,
  backing: SharedArrayBuffer | undefined,
): OpenFiles {
  if (backing === undefined) return new NoOpenFiles(connection);
  return new PassthroughFiles(fileSystem, new BackingFiles(device, backing));
}

/** Files need no opening: contents never change, so the page cache is kept and reads need no handle. */
export class NoOpenFiles implements OpenFiles {
  readonly #sticky: boolean;

  constructor({ features }: Connection) {
    this.#sticky = has(features, FEATURE.noOpen);
  }

  open(_inode: number, reply: FuseReply): void {
    if (this.#sticky) throw new ReplyError(ENOSYS, "no open needs asking");
    reply.open(CACHED_HANDLE, OPEN_KEEP_CACHE | OPEN_NO_FLUSH);
  }

  release(): void {}
}

/**
 * Files that lie whole on this machine are read by the kernel itself, the others through its page cache.
 * Which it is depends on the file alone: the kernel refuses both at once for one inode.
 */
export class PassthroughFiles implements OpenFiles {
  readonly #fileSystem: FileSystem;
  readonly #backing: BackingFiles;

  constructor(fileSystem: FileSystem, backing: BackingFiles) {
    this.#fileSystem = fileSystem;
    this.#backing = backing;
  }

  open(inode: number, reply: FuseReply): void {
    const file = this.#fileSystem.backingFile(inode);
    if (file === undefined) {
      reply.open(CACHED_HANDLE, OPEN_KEEP_CACHE | OPEN_NO_FLUSH);
      return;
    }
    try {
      const id = this.#backing.acquire(inode, () => openSync(file, "r"));
      reply.open(PASSTHROUGH_HANDLE, OPEN_PASSTHROUGH | OPEN_NO_FLUSH, id);
    } catch (error) {
      if (!isStoreError(error, "limit-exceeded")) throw error;
      // Of the other ways only this one leaves later opens of the inode their choice.
      reply.open(CACHED_HANDLE, OPEN_DIRECT_IO | OPEN_NO_FLUSH);
    }
  }

  release(inode: number, handle: number): void {
    if (handle === PASSTHROUGH_HANDLE) this.#backing.release(inode);
  }
}
