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
const TWO_32 = 0x1_0000_0000;

/** How long the kernel may believe an answer, in seconds. */
export const FOR_EVER_SECONDS = 0x7fff_ffff;

/** The body of a reply: everything after the header. Offsets are those of the reply. */
export class FuseReply {
  /** Written as a whole up to `length`. */
  readonly bytes: Buffer;
  length = 0;

  constructor(capacityBytes: number) {
    this.bytes = Buffer.alloc(REPLY_HEADER_BYTES + capacityBytes);
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

  /** Appends `count` zero bytes. */
  zeros(count: number): void {
    this.bytes.fill(0, this.length, this.length + count);
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
    this.u64(attributes.inode);
    this.u64(0);
    this.u64(ttlSeconds);
    this.u64(ttlSeconds);
    this.u64(0);
    this.#attr(attributes);
  }

  /** A name that is absent: the kernel may remember that for `ttlSeconds`. */
  noEntry(ttlSeconds: number): void {
    this.u64(0);
    this.u64(0);
    this.u64(ttlSeconds);
    this.zeros(ENTRY_BYTES - 24);
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

  #attr(attributes: Attributes): void {
    const stat = statFrom(attributes);
    const seconds = Math.floor(stat.mtime / 1000);
    const nanoseconds = (stat.mtime % 1000) * 1_000_000;
    this.u64(stat.ino);
    this.u64(stat.size);
    this.u64(stat.blocks);
    for (let stamp = 0; stamp < 3; stamp++) this.u64(seconds);
    for (let stamp = 0; stamp < 3; stamp++) this.u32(nanoseconds);
    this.u32(stat.mode);
    this.u32(stat.nlink);
    this.u32(stat.uid);
    this.u32(stat.gid);
    this.u32(0);
    this.u32(stat.blksize);
    this.u32(0);
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
    this.#dirent(name, attributes.inode, mode, nextOffset);
    return true;
  }

  /** Appends `.` or `..`; the kernel knows their attributes. */
  addDot(name: "." | "..", inode: number, nextOffset: number): boolean {
    const bytes = Buffer.from(name);
    if (!this.#fits(bytes)) return false;
    if (this.#plus) this.#reply.zeros(ENTRY_BYTES);
    this.#dirent(bytes, inode, modeFrom("directory", false), nextOffset);
    return true;
  }

  #fits(name: Uint8Array): boolean {
    const head = (this.#plus ? ENTRY_BYTES : 0) + DIRENT_HEAD_BYTES;
    return this.#reply.length + head + name.length + paddingOf(name) <= this.#end;
  }

  #dirent(name: Uint8Array, inode: number, mode: number, nextOffset: number): void {
    const reply = this.#reply;
    reply.u64(inode);
    reply.u64(nextOffset);
    reply.u32(name.length);
    reply.u32(mode >> TYPE_SHIFT);
    reply.append(name);
    reply.zeros(paddingOf(name));
  }
}

function paddingOf(name: Uint8Array): number {
  return -name.length & 7;
}
