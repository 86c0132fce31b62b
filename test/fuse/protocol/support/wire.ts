/**
 * The kernel's side of the wire, for tests: requests as it writes them, replies as it reads them. Built on
 * the layouts alone, so that a mistake in src/fuse/protocol does not hide itself.
 */
import { FuseRequest } from "../../../../src/fuse/protocol/request.js";
import { pack, unpack } from "./layouts.js";

export interface RequestParts {
  readonly opcode: number;
  readonly nodeId?: number | bigint;
  readonly unique?: bigint;
  readonly body?: Uint8Array;
}

export function encodeRequest({
  opcode,
  nodeId = 1,
  unique = 2n,
  body = new Uint8Array(),
}: RequestParts): Buffer {
  const len = 40 + body.length;
  const header = pack("fuse_in_header", { len, opcode, unique, nodeid: nodeId, pid: 77 });
  return Buffer.concat([header, body]);
}

/** A name as requests carry it. */
export function nul(name: string | Uint8Array): Buffer {
  return Buffer.concat([Buffer.from(name), Buffer.alloc(1)]);
}

/** `bytes` as they lie in a buffer that is larger and dirty from the request before. */
export function requestOn(bytes: Uint8Array): FuseRequest {
  const memory = Buffer.alloc(bytes.length + 64, 0xa5);
  memory.set(bytes);
  const request = new FuseRequest(memory);
  if (!request.take(bytes.length)) throw new Error("Not a whole request");
  return request;
}

export function request(parts: RequestParts): FuseRequest {
  return requestOn(encodeRequest(parts));
}

export interface ReplyParts {
  /** Negative, or 0. */
  readonly error: number;
  readonly unique: bigint;
  readonly body: Buffer;
}

/** Takes a reply apart; throws when the kernel would refuse it as one write(2). */
export function decodeReply(bytes: Uint8Array): ReplyParts {
  const { len, error, unique } = unpack("fuse_out_header", bytes) as Record<
    "len" | "error" | "unique",
    bigint
  >;
  if (Number(len) !== bytes.length) throw new Error(`len ${len}, written ${bytes.length}`);
  const signed = Number(BigInt.asIntN(32, error));
  if (signed > 0 || signed <= -512) throw new Error(`error ${signed}`);
  if (signed !== 0 && bytes.length !== 16) throw new Error("an error with a body");
  return { error: signed, unique, body: Buffer.from(bytes.subarray(16)) };
}

export interface Dirent {
  readonly inode: bigint;
  readonly next: bigint;
  readonly type: number;
  readonly name: Buffer;
  /** Of READDIRPLUS. */
  readonly entry?: Record<string, bigint>;
}

/** The entries of a READDIR or READDIRPLUS reply, as fs/fuse/readdir.c walks them. */
export function decodeDirents(body: Buffer, plus: boolean): Dirent[] {
  const entries: Dirent[] = [];
  const before = plus ? 128 : 0;
  for (let at = 0; at < body.length; ) {
    const { ino, off, namelen, type } = unpack("fuse_dirent", body, at + before) as Record<
      "ino" | "off" | "namelen" | "type",
      bigint
    >;
    const nameAt = at + before + 24;
    const end = nameAt + Number(namelen);
    if (namelen === 0n || namelen > 255n || end > body.length) {
      throw new Error(`namelen ${namelen} at ${at} of ${body.length}`);
    }
    const name = body.subarray(nameAt, end);
    if (name.includes(0) || name.includes(0x2f)) throw new Error("a name with NUL or slash");
    const entry = plus ? { entry: unpack("fuse_entry_out", body, at) } : {};
    entries.push({ inode: ino, next: off, type: Number(type), name, ...entry });
    at += before + Math.ceil((24 + name.length) / 8) * 8;
    if (at > body.length) throw new Error("an entry without its padding");
  }
  return entries;
}
