/**
 * A dispatcher with a kernel's side of the wire in front of it: requests in, decoded replies out.
 */
import type { FileSystem } from "../../../../src/castore/fs/file-system.js";
import { Dispatcher, type Outcome } from "../../../../src/fuse/kernel/dispatch.js";
import { NoOpenFiles } from "../../../../src/fuse/kernel/open-files.js";
import { type Connection, FEATURE } from "../../../../src/fuse/protocol/init.js";
import { FuseReply } from "../../../../src/fuse/protocol/reply.js";
import { pack, unpack } from "../../protocol/support/layouts.js";
import {
  type Dirent,
  decodeDirents,
  decodeReply,
  encodeRequest,
  nul,
  type ReplyParts,
  type RequestParts,
  requestOn,
} from "../../protocol/support/wire.js";
import { RecordingLog } from "../../support/recording-log.js";

export const READ_BYTES_MAX = 1024 * 1024;
const REPLY_BYTES_MIN = 64 * 1024;

export const OPCODE = {
  lookup: 1,
  forget: 2,
  getattr: 3,
  readlink: 5,
  open: 14,
  read: 15,
  statfs: 17,
  release: 18,
  getxattr: 22,
  listxattr: 23,
  flush: 25,
  opendir: 27,
  readdir: 28,
  releasedir: 29,
  access: 34,
  interrupt: 36,
  destroy: 38,
  ioctl: 39,
  poll: 40,
  batchForget: 42,
  readdirplus: 44,
  lseek: 46,
  statx: 52,
} as const;

export function connectionWith(features: bigint, readBytesMax = READ_BYTES_MAX): Connection {
  return { minor: 45, features, readBytesMax };
}

/** What every supported kernel agrees to. */
export const CONNECTION = connectionWith(FEATURE.noOpen | FEATURE.noOpendir);

export class Conversation {
  readonly log = new RecordingLog();
  readonly dispatcher: Dispatcher;
  readonly #reply: FuseReply;
  #unique = 0n;

  constructor(fileSystem: FileSystem, connection = CONNECTION) {
    const openFiles = new NoOpenFiles(connection);
    this.dispatcher = new Dispatcher(fileSystem, connection, openFiles, this.log);
    // As the device loop has it: never too small for a listing.
    this.#reply = new FuseReply(Math.max(connection.readBytesMax, REPLY_BYTES_MIN));
  }

  /** What becomes of a whole request. */
  handle(bytes: Uint8Array): Outcome {
    return this.dispatcher.handle(requestOn(bytes), this.#reply);
  }

  /** The reply as it stands after {@link handle} said "reply". */
  get reply(): ReplyParts {
    if (this.#reply.length > this.#reply.bytes.length) throw new Error("longer than its buffer");
    return decodeReply(this.#reply.bytes.subarray(0, this.#reply.length));
  }

  outcome(opcode: number, nodeId: number | bigint, body?: Uint8Array): Outcome {
    this.#unique += 2n;
    const parts: RequestParts = { opcode, nodeId, unique: this.#unique };
    return this.handle(encodeRequest(body === undefined ? parts : { ...parts, body }));
  }

  /** Asks something that is answered at once. */
  ask(opcode: number, nodeId: number | bigint, body?: Uint8Array): ReplyParts {
    const outcome = this.outcome(opcode, nodeId, body);
    if (outcome !== "reply") throw new Error(`No reply but ${outcome}`);
    const { reply } = this;
    if (reply.unique !== this.#unique) throw new Error("The reply to something else");
    return reply;
  }

  /** As {@link ask}, for what must succeed; the body. */
  answer(opcode: number, nodeId: number | bigint, body?: Uint8Array): Buffer {
    const { error, body: answer } = this.ask(opcode, nodeId, body);
    if (error !== 0) throw new Error(`Request ${opcode} of inode ${nodeId} gave ${error}`);
    return answer;
  }

  lookup(parent: number | bigint, name: string | Uint8Array): Record<string, bigint> {
    return unpack("fuse_entry_out", this.answer(OPCODE.lookup, parent, nul(name)));
  }

  /** The inode at `path`, found name by name from the root. */
  inode(path: string): bigint {
    let inode = 1n;
    for (const name of path.split("/")) inode = this.lookup(inode, name)["nodeid"] as bigint;
    return inode;
  }

  read(inode: number | bigint, offset: number | bigint, size: number): ReplyParts {
    return this.ask(OPCODE.read, inode, pack("fuse_read_in", { offset, size }));
  }

  list(
    inode: number | bigint,
    offset: number | bigint,
    size: number,
    plus: boolean,
  ): { readonly length: number; readonly entries: Dirent[] } {
    const opcode = plus ? OPCODE.readdirplus : OPCODE.readdir;
    const body = this.answer(opcode, inode, pack("fuse_read_in", { offset, size }));
    return { length: body.length, entries: decodeDirents(body, plus) };
  }
}
