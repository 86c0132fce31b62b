/**
 * The requests of fuse-native, answered from a `FileSystem`. Handlers are synchronous, so none needs a
 * deadline: a timer could not fire before the handler has returned.
 */
import { constants } from "node:os";
import { LRUCache } from "lru-cache";
import { decodeUtf8, quoteBytes } from "../base/bytes.js";
import type { Logger } from "../base/log.js";
import type { Attributes, FileSystem } from "../castore/fs/file-system.js";
import { answer } from "./answer.js";
import { type Stat, statFrom, statFsFrom } from "./attributes.js";
import { ReplyError } from "./errno.js";
import type { FuseNativeOperations } from "./fuse-native-binding.js";
import { isFaithful, parentPath, resolvePath } from "./path-resolver.js";

const { EILSEQ, ENOSYS } = constants.errno;

/** How many inodes with unusual names are remembered, so that each is warned of once. */
const WARNED_INODES_MAX = 10_000;

/** The handlers to give to the binding. `fileSystem` is used from this thread only. */
export function fuseNativeHandlers(fileSystem: FileSystem, log: Logger): FuseNativeOperations {
  const warned = new LRUCache<number, true>({ max: WARNED_INODES_MAX });

  function warnOnce(inode: number, message: string): void {
    if (warned.has(inode)) return;
    warned.set(inode, true);
    log.warn({ engine: "fuse-native" }, message);
  }

  function list(path: string): [names: string[], stats: Stat[]] {
    const directory = resolvePath(fileSystem, path);
    const listing = fileSystem.list(directory.inode);
    const names = [".", ".."];
    // With stats, because an entry without one shows inode 4294967295 and type unknown, and then find(1)
    // asks for each entry's attributes.
    const stats = [stat(directory), stat(resolvePath(fileSystem, parentPath(path)))];
    const hidden: Uint8Array[] = [];
    for (let index = 0; index < listing.count; index++) {
      const bytes = listing.name(index);
      const name = decodeUtf8(bytes);
      if (name === undefined || !isFaithful(name)) {
        hidden.push(bytes);
      } else {
        names.push(name);
        stats.push(stat(listing.attributes(index)));
      }
    }
    if (hidden.length > 0) warnOnce(directory.inode, hiddenMessage(path, hidden));
    return [names, stats];
  }

  function target(path: string): string {
    const { inode } = resolvePath(fileSystem, path);
    const bytes = fileSystem.readLink(inode);
    const text = decodeUtf8(bytes);
    if (text !== undefined) return text;
    warnOnce(inode, targetMessage(path, bytes));
    throw new ReplyError(EILSEQ, "symlink target is not UTF-8");
  }

  return {
    getattr(path, reply) {
      answer(log, { operation: "stat", path }, reply, () => [
        0,
        stat(resolvePath(fileSystem, path)),
      ]);
    },
    readdir(path, reply) {
      answer(log, { operation: "list", path }, reply, () => [0, ...list(path)]);
    },
    readlink(path, reply) {
      answer(log, { operation: "readlink", path }, reply, () => [0, target(path)]);
    },
    open(_path, _flags, reply) {
      // The kernel takes this to mean that no open needs asking, now or later, and keeps the page cache.
      reply(-ENOSYS);
    },
    read(path, _handle, buffer, _length, offset, reply) {
      answer(log, { operation: "read", path }, reply, () => [
        fileSystem.read(resolvePath(fileSystem, path).inode, offset, buffer),
      ]);
    },
    statfs(path, reply) {
      answer(log, { operation: "statfs", path }, reply, () => [
        0,
        statFsFrom(fileSystem.capacity()),
      ]);
    },
  };
}

function stat(attributes: Attributes): Stat {
  return { ...statFrom(attributes), ino: foldInode(attributes.inode) };
}

/**
 * An inode number in 32 bits, all the binding has: below 2^32 - 1 unchanged, above folded so that numbers
 * less than 2^32 - 3 apart, as those within one store path, stay different. Never 0, which marks a deleted
 * entry, 1, the root, or 2^32 - 1, libfuse's "unknown".
 */
export function foldInode(inode: number): number {
  return inode < 2 ? inode : 2 + ((inode - 2) % 0xffff_fffd);
}

function hiddenMessage(path: string, hidden: readonly Uint8Array[]): string {
  const shown = quoteBytes(Buffer.from(path));
  const first = quoteBytes(hidden[0] as Uint8Array);
  const names =
    hidden.length === 1 ? `the name ${first}` : `${hidden.length} names, ${first} first`;
  return `Left out of the listing of ${shown}: ${names}; fuse-native carries only UTF-8`;
}

function targetMessage(path: string, target: Uint8Array): string {
  const shown = quoteBytes(Buffer.from(path));
  return `Cannot show the target ${quoteBytes(target)} of ${shown}: fuse-native carries only UTF-8`;
}
