/**
 * From the paths of a path based engine to inodes. The engine gets them as text, so a name that is not
 * UTF-8 arrives with U+FFFD in place of its bytes and cannot be told from others like it.
 */
import { constants } from "node:os";
import { type Attributes, type FileSystem, ROOT_INODE } from "../castore/fs/file-system.js";
import { ReplyError } from "./errno.js";

const { ENAMETOOLONG, ENOENT, ENOTDIR } = constants.errno;

const NAME_BYTES_MAX = 255;

/** What stands for bytes that are not UTF-8, and for itself. */
const REPLACEMENT_CHARACTER = "\ufffd";

/** Whether a name keeps its identity on the way through text. */
export function isFaithful(name: string): boolean {
  return !name.includes(REPLACEMENT_CHARACTER);
}

/**
 * The entry at `path`, which starts with a slash, is free of `.` and `..`, and is `/` for the root.
 *
 * @throws {ReplyError} ENOENT, ENOTDIR or ENAMETOOLONG.
 * @throws {StoreError} whatever the file system throws.
 */
export function resolvePath(fileSystem: FileSystem, path: string): Attributes {
  if (path === "/") return fileSystem.attributes(ROOT_INODE);
  if (!isFaithful(path)) throw new ReplyError(ENOENT, "name is not UTF-8");
  let inode = ROOT_INODE;
  for (let start = 1; ; ) {
    const slash = path.indexOf("/", start);
    const end = slash < 0 ? path.length : slash;
    const name = Buffer.from(path.slice(start, end));
    if (name.length > NAME_BYTES_MAX) throw new ReplyError(ENAMETOOLONG, "name is too long");
    const entry = fileSystem.lookup(inode, name);
    if (entry === undefined) throw new ReplyError(ENOENT, "no such entry");
    if (slash < 0) return entry;
    if (entry.type !== "directory") throw new ReplyError(ENOTDIR, "not a directory");
    inode = entry.inode;
    start = end + 1;
  }
}

/** The path of the folder that holds `path`; the root is its own. */
export function parentPath(path: string): string {
  return path.slice(0, path.lastIndexOf("/")) || "/";
}
