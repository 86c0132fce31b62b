/**
 * What happens when a file is opened. Which of the ways is fixed for a whole mount: once the kernel has been
 * told that no open needs asking, it asks for none.
 */
import { constants } from "node:os";
import { ReplyError } from "../errno.js";
import { type Connection, FEATURE, has } from "../protocol/init.js";
import type { FuseReply } from "../protocol/reply.js";

const { ENOSYS } = constants.errno;

export interface OpenFiles {
  /** Answers OPEN of `inode` in `reply`, or throws a `ReplyError`. */
  open(inode: number, reply: FuseReply): void;
  /** The last user of one OPEN of `inode` is gone. */
  release(inode: number): void;
}

export const OPEN_KEEP_CACHE = 1 << 1;
export const OPEN_CACHE_DIRECTORY = 1 << 3;
export const OPEN_NO_FLUSH = 1 << 5;

/** Files need no opening: contents never change, so the page cache is kept and reads need no handle. */
export class NoOpenFiles implements OpenFiles {
  readonly #sticky: boolean;

  constructor({ features }: Connection) {
    this.#sticky = has(features, FEATURE.noOpen);
  }

  open(_inode: number, reply: FuseReply): void {
    if (this.#sticky) throw new ReplyError(ENOSYS, "no open needs asking");
    reply.open(0, OPEN_KEEP_CACHE | OPEN_NO_FLUSH);
  }

  release(): void {}
}
