/**
 * Replies as the kernel reads them: one write(2) each.
 *
 *   reply := header body        header := len u32 · error i32 (0 or a negative errno) · unique u64
 *
 * A reply is built in one buffer that is used again for the next one.
 */
import type { Attributes, Capacity } from "../../castore/fs/file-system.js";
import { modeFrom, statFrom, statFsFrom } from "../attributes.js";
import type { FuseRequest } from "./request.js";

export const REPLY_HEADER_BYTES = 16;
/** fuse_entry_out, the answer to LOOKUP and the head of each READDIRPLUS entry. */
export const ENTRY_BYTES = 128;
/** Its first part, before the attributes, in words. */
const ENTRY_HEAD_WORDS = 10;
/** fuse_attr */
const ATTR_BYTES = 88;
const TWO_32 = 0x1_0000_0000;

/** How long the kernel may believe an answer, in seconds. */
export const FOR_EVER_SECONDS = 0x7fff_ffff;

/** The body of a reply: everything after the header. Offsets are those of the reply. */
export class FuseReply {
  /** Written as a whole up to `length`. */
  readonly bytes: Buffer;
  length = 0;
  /** The same memory. Conversion to a word takes the low half of a number, rounded down. */
  readonly #words: Uint32Array;

  constructor(capacityBytes: number) {
    const words = Math.ceil((REPLY_HEADER_BYTES + capacityBytes) / 4);
    this.#words = new Uint32Array(words);
    this.bytes = Buffer.from(this.#words.buffer);
  }

  /** Starts an empty reply. */
  clear(): void {
    this.length = REPLY_HEADER_BYTES;
  }

  /** Ends the reply to `request`: with its body, or with an error number alone. */
  finish(request: FuseRequest, errno = 0): void {
    if (errno !== 0) this.length = REPLY_HEADER_BYTES;
    this.bytes.writeUInt32LE(this.length, 0);
    this.bytes.writeInt32LE(-errno, 4);
    request.copyUnique(this.bytes);
  }

  /** Room for `length` bytes of body, which the caller fills. */
  room(length: number): Buffer {
    return this.bytes.subarray(this.length, this.length + length);
  }

  /** Appends a copy of `bytes`. */
  append(bytes: Uint8Array): void {
    this.bytes.set(bytes, this.length);
    this.length += bytes.length;
  }

  /** Appends `count` zero bytes, a multiple of four. */
  zeros(count: number): void {
    this.#words.fill(0, this.length / 4, (this.length + count) / 4);
    this.length += count;
  }

  u32(value: number): void {
    this.length = this.bytes.writeUInt32LE(value, this.length);
  }

  u64(value: number): void {
    this.u32(value % TWO_32);
    this.u32(Math.floor(value / TWO_32));
  }

  /** A name that was found: the kernel may keep the name and its attributes for `ttlSeconds`. */
  entry(attributes: Attributes, ttlSeconds: number): void {
    const words = this.#words;
    const at = this.length / 4;
    words.fill(0, at, at + ENTRY_HEAD_WORDS);
    words[at] = attributes.inode;
    words[at + 1] = attributes.inode / TWO_32;
    words[at + 4] = ttlSeconds;
    words[at + 6] = ttlSeconds;
    this.length += 4 * ENTRY_HEAD_WORDS;
    this.#attr(attributes);
  }

  /** A name that is absent: the kernel may remember that for `ttlSeconds`. */
  noEntry(ttlSeconds: number): void {
    this.u64(0);
    this.u64(0);
    this.u64(ttlSeconds);
    this.zeros(ENTRY_BYTES - 24);
  }

  /** An entry of a listing; see {@link DirectoryEntries}. */
  dirent(inode: number, nextOffset: number, type: number, name: Uint8Array): void {
    const words = this.#words;
    const at = this.length / 4;
    words[at] = inode;
    words[at + 1] = inode / TWO_32;
    words[at + 2] = nextOffset;
    words[at + 3] = nextOffset / TWO_32;
    words[at + 4] = name.length;
    words[at + 5] = type;
    const end = this.length + DIRENT_HEAD_BYTES + paddedLength(name);
    // The padding, where the name does not cover it.
    words[end / 4 - 2] = 0;
    words[end / 4 - 1] = 0;
    this.bytes.set(name, this.length + DIRENT_HEAD_BYTES);
    this.length = end;
  }

  /** The answer to GETATTR. */
  attributes(attributes: Attributes, ttlSeconds: number): void {
    this.u64(ttlSeconds);
    this.u64(0);
    this.#attr(attributes);
  }

  /** The answer to STATFS. */
  statFs(capacity: Capacity): void {
    const { bsize, frsize, blocks, bfree, bavail, files, namemax } = statFsFrom(capacity);
    for (const count of [blocks, bfree, bavail, files, 0]) this.u64(count);
    for (const value of [bsize, namemax, frsize]) this.u32(value);
    this.zeros(28);
  }

  /** The answer to OPEN and OPENDIR: a handle and FOPEN flags. */
  open(handle: number, flags: number, backingId = 0): void {
    this.u64(handle);
    this.u32(flags);
    this.u32(backingId);
  }

  /** Thousands of these go into one listing: word by word into the memory, without a call for each. */
  #attr(attributes: Attributes): void {
    const stat = statFrom(attributes);
    const seconds = Math.floor(stat.mtime / 1000);
    const nanoseconds = (stat.mtime % 1000) * 1_000_000;
    const words = this.#words;
    const at = this.length / 4;
    words[at] = stat.ino;
    words[at + 1] = stat.ino / TWO_32;
    words[at + 2] = stat.size;
    words[at + 3] = stat.size / TWO_32;
    words[at + 4] = stat.blocks;
    words[at + 5] = stat.blocks / TWO_32;
    for (let stamp = 0; stamp < 3; stamp++) {
      words[at + 6 + 2 * stamp] = seconds;
      words[at + 7 + 2 * stamp] = seconds / TWO_32;
      words[at + 12 + stamp] = nanoseconds;
    }
    words[at + 15] = stat.mode;
    words[at + 16] = stat.nlink;
    words[at + 17] = stat.uid;
    words[at + 18] = stat.gid;
    words[at + 19] = 0;
    words[at + 20] = stat.blksize;
    words[at + 21] = 0;
    this.length += ATTR_BYTES;
  }
}

const DIRENT_HEAD_BYTES = 24;
/** File types in directory entries, d_type: the mode's upper bits. */
const TYPE_SHIFT = 12;

/**
 * Fills a READDIR or READDIRPLUS answer with as many entries as fit into `limit` bytes.
 *
 *   dirent := ino u64 · off u64, the cookie of the next entry · namelen u32 · type u32 · name, padded to 8
 *   direntplus := entry_out dirent
 */
export class DirectoryEntries {
  readonly #reply: FuseReply;
  readonly #end: number;
  readonly #plus: boolean;

  constructor(reply: FuseReply, limit: number, plus: boolean) {
    this.#reply = reply;
    this.#end = Math.min(reply.length + limit, reply.bytes.length);
    this.#plus = plus;
  }

  /**
   * Appends one entry; reading on at `nextOffset` gives the one after it.
   *
   * @returns false when there is no room: nothing was appended.
   */
  add(name: Uint8Array, attributes: Attributes, nextOffset: number, ttlSeconds: number): boolean {
    if (!this.#fits(name)) return false;
    if (this.#plus) this.#reply.entry(attributes, ttlSeconds);
    const mode = modeFrom(attributes.type, attributes.executable);
    this.#reply.dirent(attributes.inode, nextOffset, mode >> TYPE_SHIFT, name);
    return true;
  }

  /** Appends `.` or `..`; the kernel knows their attributes. */
  addDot(name: "." | "..", inode: number, nextOffset: number): boolean {
    const bytes = Buffer.from(name);
    if (!this.#fits(bytes)) return false;
    if (this.#plus) this.#reply.zeros(ENTRY_BYTES);
    this.#reply.dirent(inode, nextOffset, modeFrom("directory", false) >> TYPE_SHIFT, bytes);
    return true;
  }

  #fits(name: Uint8Array): boolean {
    const head = (this.#plus ? ENTRY_BYTES : 0) + DIRENT_HEAD_BYTES;
    return this.#reply.length + head + paddedLength(name) <= this.#end;
  }
}

function paddedLength(name: Uint8Array): number {
  return (name.length + 7) & ~7;
}
