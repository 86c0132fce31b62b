/**
 * Receives a descriptor from another process, over a pair of connected sockets (unix(7), SCM_RIGHTS).
 */
import { closeSync } from "node:fs";
import { StoreError } from "../../base/errors.js";
import { libc } from "../../base/libc.js";

const AF_UNIX = 1;
const SOCK_STREAM = 1;
const SOCK_CLOEXEC = 0o2000000;
const SOL_SOCKET = 1;
const SCM_RIGHTS = 1;
const MSG_DONTWAIT = 0x40;
const MSG_CMSG_CLOEXEC = 0x4000_0000;

/*
 * The structs of recvmsg(2) on 64-bit machines, offsets in bytes:
 *
 *   msghdr  := … · iov pointer @16 · count of iov u64 @24 · control pointer @32 · its length u64 @40 · …
 *   iovec   := pointer · length u64
 *   control := length u64 · level i32 @8 · type i32 @12 · descriptor i32 @16, padded to 24
 */
const MSGHDR_BYTES = 56;
const IOVEC_BYTES = 16;
const CONTROL_BYTES = 24;

export class DescriptorSocket {
  readonly #ours: number;
  /** The end to give to the sender, as a descriptor of this process. */
  readonly theirs: number;

  /** Programs started later inherit neither end unless told to. */
  constructor() {
    const pair = new Int32Array(2);
    if (libc().socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) !== 0) {
      throw new StoreError("unavailable", `Cannot make a socket pair: ${libc().lastError()}`);
    }
    [this.#ours, this.theirs] = pair as unknown as [number, number];
  }

  /** The descriptor that was sent, for this process alone; `undefined` when none is there yet. */
  receive(): number | undefined {
    const { address, recvmsg } = libc();
    const data = Buffer.alloc(1);
    const control = Buffer.alloc(CONTROL_BYTES);
    const iov = Buffer.alloc(IOVEC_BYTES);
    iov.writeBigUInt64LE(address(data), 0);
    iov.writeBigUInt64LE(BigInt(data.length), 8);
    const message = Buffer.alloc(MSGHDR_BYTES);
    message.writeBigUInt64LE(address(iov), 16);
    message.writeBigUInt64LE(1n, 24);
    message.writeBigUInt64LE(address(control), 32);
    message.writeBigUInt64LE(BigInt(control.length), 40);
    if (recvmsg(this.#ours, message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC) <= 0) return undefined;
    const given = control.readInt32LE(8) === SOL_SOCKET && control.readInt32LE(12) === SCM_RIGHTS;
    return given ? control.readInt32LE(16) : undefined;
  }

  close(): void {
    closeSync(this.#ours);
    closeSync(this.theirs);
  }
}
