/**
 * From requests to the file system and back: one request in, one reply out, on the same thread.
 */
import { constants } from "node:os";
import { messageOf } from "../../base/errors.js";
import type { Logger } from "../../base/log.js";
import { type FileSystem, Miss, ROOT_INODE } from "../../castore/fs/file-system.js";
import { failureFields } from "../answer.js";
import { errnoFrom, ReplyError } from "../errno.js";
import { type Connection, FEATURE, has } from "../protocol/init.js";
import { OP, operationName } from "../protocol/opcodes.js";
import { DirectoryEntries, FOR_EVER_SECONDS, type FuseReply } from "../protocol/reply.js";
import { type FuseRequest, MalformedRequest } from "../protocol/request.js";
import { OPEN_CACHE_DIRECTORY, OPEN_KEEP_CACHE, type OpenFiles } from "./open-files.js";

const { EINVAL, EIO, ENAMETOOLONG, ENODATA, ENOSYS, ERANGE } = constants.errno;

const NAME_BYTES_MAX = 255;

/** Names at the root, and their absence, are asked for again after this; new store paths show up. */
const ROOT_TTL_SECONDS = 1;
/** Inode number in `..` entries, whose real one would take a search: libfuse's "unknown". */
const UNKNOWN_INODE = 0xffff_ffff;

/** The handle of every open folder: there is nothing to remember. */
const NO_HANDLE = 0;

/** What became of a request: a finished reply, nothing to say, or something to be fetched first. */
export type Outcome = "reply" | "silence" | Miss;

export class Dispatcher {
  readonly #fileSystem: FileSystem;
  readonly #connection: Connection;
  readonly #openFiles: OpenFiles;
  readonly #log: Logger;

  constructor(fileSystem: FileSystem, connection: Connection, openFiles: OpenFiles, log: Logger) {
    this.#fileSystem = fileSystem;
    this.#connection = connection;
    this.#openFiles = openFiles;
    this.#log = log;
  }

  /** Handles `request`. Whatever is thrown underneath becomes an error reply; nothing is thrown here. */
  handle(request: FuseRequest, reply: FuseReply): Outcome {
    reply.clear();
    try {
      if (!this.#answer(request, reply)) return "silence";
      reply.finish(request);
    } catch (error) {
      if (error instanceof Miss) return error;
      this.refuse(request, reply, error);
    }
    return "reply";
  }

  /** Turns `error` into the reply to `request`, and logs what the error number alone does not tell. */
  refuse(request: FuseRequest, reply: FuseReply, error: unknown): void {
    const errno = error instanceof MalformedRequest ? EINVAL : errnoFrom(error);
    reply.finish(request, errno);
    if (errno !== EIO) return;
    const operation = operationName(request.opcode);
    try {
      this.#log.error(
        { operation, inode: request.nodeId, ...failureFields(error) },
        `Cannot ${operation} inode ${request.nodeId}: ${messageOf(error)}`,
      );
    } catch {
      // A log on a full disk must not take the reply with it, and the thread.
    }
  }

  /** @returns false when the kernel expects no reply. */
  #answer(request: FuseRequest, reply: FuseReply): boolean {
    const inode = request.nodeId;
    switch (request.opcode) {
      case OP.lookup:
        this.#lookup(inode, request.name(), reply);
        return true;
      case OP.getattr:
        reply.attributes(this.#fileSystem.attributes(inode), ttlOf(inode));
        return true;
      case OP.readlink:
        reply.append(this.#fileSystem.readLink(inode));
        return true;
      case OP.read:
        this.#read(request, reply);
        return true;
      case OP.open:
        this.#openFiles.open(inode, reply);
        return true;
      case OP.release:
        this.#openFiles.release(inode, request.u64(0));
        return true;
      case OP.opendir:
        // The kernel takes ENOSYS to mean that it need not ask, now or later, and caches listings.
        if (has(this.#connection.features, FEATURE.noOpendir)) throw notOffered();
        reply.open(NO_HANDLE, OPEN_KEEP_CACHE | OPEN_CACHE_DIRECTORY);
        return true;
      case OP.releasedir:
        return true;
      case OP.readdir:
      case OP.readdirplus:
        this.#list(request, reply);
        return true;
      case OP.statfs:
        reply.statFs(this.#fileSystem.capacity());
        return true;
      case OP.getxattr:
        this.#getXattr(request, reply);
        return true;
      case OP.listxattr:
        this.#listXattr(request, reply);
        return true;
      case OP.forget:
      case OP.batchForget:
      case OP.interrupt:
      case OP.destroy:
        return false;
      default:
        // Changes never come here: the mount is read-only. The rest has a fallback in the kernel.
        throw notOffered();
    }
  }

  #lookup(parent: number, name: Uint8Array, reply: FuseReply): void {
    // The kernel itself knows no limit below a path's.
    if (name.length > NAME_BYTES_MAX) throw new ReplyError(ENAMETOOLONG, "name too long");
    const found = this.#fileSystem.lookup(parent, name);
    const ttl = ttlOf(parent);
    if (found === undefined) reply.noEntry(ttl);
    else reply.entry(found, ttl);
  }

  #read(request: FuseRequest, reply: FuseReply): void {
    const size = Math.min(request.u32(16), this.#connection.readBytesMax);
    reply.length += this.#fileSystem.read(request.nodeId, request.u64(8), reply.room(size));
  }

  #list(request: FuseRequest, reply: FuseReply): void {
    const inode = request.nodeId;
    const offset = request.u64(8);
    const plus = request.opcode === OP.readdirplus;
    const entries = new DirectoryEntries(reply, request.u32(16), plus);
    const listing = this.#fileSystem.list(inode);
    if (offset < 1 && !entries.addDot(".", inode, 1)) return;
    if (offset < DOTS && !entries.addDot("..", UNKNOWN_INODE, DOTS)) return;
    const ttl = ttlOf(inode);
    for (
      let index = listing.indexAfter(Math.max(offset - DOTS, 0));
      index < listing.count;
      index++
    ) {
      const next = listing.cookie(index) + DOTS;
      if (!entries.add(listing.name(index), listing.attributes(index), next, ttl)) return;
    }
  }

  #getXattr(request: FuseRequest, reply: FuseReply): void {
    const size = request.u32(0);
    const name = Buffer.from(request.name(8)).toString("latin1");
    const value = this.#fileSystem.extendedAttributes(request.nodeId).get(name);
    if (value === undefined) throw new ReplyError(ENODATA, "no such attribute");
    sized(Buffer.from(value), size, reply);
  }

  #listXattr(request: FuseRequest, reply: FuseReply): void {
    const size = request.u32(0);
    const names = [...this.#fileSystem.extendedAttributes(request.nodeId).keys()];
    sized(Buffer.from(names.map((name) => `${name}\0`).join("")), size, reply);
  }
}

/** `.` and `..` take the places before the first entry. */
const DOTS = 2;

/** How long what is found in, or known of, this inode may be believed. */
function ttlOf(inode: number): number {
  return inode === ROOT_INODE ? ROOT_TTL_SECONDS : FOR_EVER_SECONDS;
}

/** An answer to a caller with a buffer of `size` bytes: 0 asks how many it will take. */
function sized(value: Uint8Array, size: number, reply: FuseReply): void {
  if (size === 0) {
    reply.u32(value.length);
    reply.u32(0);
  } else if (value.length > size) {
    throw new ReplyError(ERANGE, "buffer too small");
  } else {
    reply.append(value);
  }
}

function notOffered(): ReplyError {
  return new ReplyError(ENOSYS, "not offered");
}
