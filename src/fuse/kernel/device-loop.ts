/**
 * The loop of one thread that serves a mount: read a request, answer it, until the mount is gone. It blocks
 * its thread for good.
 */
import { readSync, writeSync } from "node:fs";
import { errnoOf, messageOf } from "../../base/errors.js";
import type { Logger } from "../../base/log.js";
import type { Miss } from "../../castore/fs/file-system.js";
import { OP } from "../protocol/opcodes.js";
import { FuseReply } from "../protocol/reply.js";
import { FuseRequest } from "../protocol/request.js";
import type { Dispatcher } from "./dispatch.js";

/** What the kernel asks for at least; requests of a read-only mount are all smaller. */
export const REQUEST_BYTES = 64 * 1024;
/** A reply that is not a read: a listing, entry or target. */
const REPLY_BYTES_MIN = 64 * 1024;

/** Takes what this thread cannot answer at once. */
export interface WaitingRoom {
  /** `request` waits for something to be fetched and is answered later, by someone else. */
  wait(request: Buffer, miss: Miss): void;
  /** The caller of the request with this unique number has been interrupted. */
  interrupt(unique: bigint): void;
}

export interface DeviceLoopOptions {
  /** An open /dev/fuse whose connection has been initialised. */
  readonly device: number;
  /** The largest READ the kernel sends. */
  readonly readBytesMax: number;
  readonly dispatcher: Dispatcher;
  readonly waitingRoom: WaitingRoom;
  readonly log: Logger;
}

/** Answers the requests that one thread reads, one at a time. */
export class RequestServer {
  /** Where the next request is to be read to. */
  readonly bytes = Buffer.alloc(REQUEST_BYTES);
  readonly #options: DeviceLoopOptions;
  readonly #request = new FuseRequest(this.bytes);
  readonly #reply: FuseReply;

  constructor(options: DeviceLoopOptions) {
    this.#options = options;
    this.#reply = new FuseReply(Math.max(options.readBytesMax, REPLY_BYTES_MIN));
  }

  /** Answers the request that has been read, or has it wait. */
  answer(length: number): void {
    const { device, dispatcher, waitingRoom, log } = this.#options;
    const request = this.#request;
    if (!request.take(length)) {
      log.error({ length }, "Dropped a request that was not whole");
      return;
    }
    if (request.opcode === OP.interrupt) {
      waitingRoom.interrupt(request.bodyLength >= 8 ? request.bigU64(0) : 0n);
      return;
    }
    const outcome = dispatcher.handle(request, this.#reply);
    if (outcome === "reply") writeReply(device, this.#reply, log);
    else if (outcome !== "silence") this.#handOver(outcome);
  }

  /** Has the request wait for what it missed. */
  #handOver(miss: Miss): void {
    const { device, dispatcher, waitingRoom, log } = this.#options;
    try {
      waitingRoom.wait(this.#request.copy(), miss);
    } catch (error) {
      // What is wanted cannot be told to another thread, say. Without an answer the caller would hang.
      dispatcher.refuse(this.#request, this.#reply, error);
      writeReply(device, this.#reply, log);
    }
  }
}

/** Serves until the connection ends. */
export function serveDevice(options: DeviceLoopOptions): void {
  const server = new RequestServer(options);
  for (;;) {
    const length = readRequest(options.device, server.bytes);
    if (length === undefined) return;
    server.answer(length);
  }
}

/**
 * Reads one request. Blocks.
 *
 * @returns its length; `undefined` when the connection has ended.
 */
export function readRequest(device: number, bytes: Buffer): number | undefined {
  for (;;) {
    try {
      return readSync(device, bytes, 0, bytes.length, null);
    } catch (error) {
      if (isConnectionEnd(error)) return undefined;
    }
  }
}

/**
 * Whether reading a request failed because the connection has ended; if not, it is to be read again.
 *
 * @throws what it failed for, if that is something else.
 */
export function isConnectionEnd(error: unknown): boolean {
  switch (errnoOf(error)) {
    case "ENODEV":
    case "ECONNABORTED":
      return true;
    // A request that was withdrawn while we took it, or a signal.
    case "ENOENT":
    case "EINTR":
    case "EAGAIN":
      return false;
    default:
      throw error;
  }
}

/** Writes a finished reply; one that nobody waits for any more is no error. */
export function writeReply(device: number, reply: FuseReply, log: Logger): void {
  try {
    writeSync(device, reply.bytes, 0, reply.length);
  } catch (error) {
    // Interrupted and gone, or the mount is.
    if (["ENOENT", "ENODEV", "EPERM"].includes(errnoOf(error) ?? "")) return;
    log.error({ length: reply.length }, `The kernel took no reply: ${messageOf(error)}`);
  }
}
