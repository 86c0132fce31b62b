/**
 * From async functions to the handlers of grpc-js: statuses, cancellation, and backpressure both ways.
 */

import type { ServerHttp2Session } from "node:http2";
import { setImmediate as nextTurn, setTimeout as sleep } from "node:timers/promises";
import type {
  handleClientStreamingCall,
  handleServerStreamingCall,
  handleUnaryCall,
  Metadata,
  status,
} from "@grpc/grpc-js";
import { messageOf, StoreError } from "../base/errors.js";
import type { Logger } from "../base/log.js";
import type { CallRecord } from "./call-record.js";
import { http2StreamOf } from "./http2-stream.js";
import { widenReceiveWindow } from "./receive-window.js";
import { type CallStatus, callStatus } from "./status.js";

/** How many bytes of answers to one call may wait for a slow reader, beside the one being made. */
const SEND_AHEAD_BYTES = 1024 * 1024;
/** Answers that wait, however small they are. */
const SEND_AHEAD_MESSAGES = 64;

/** A client may read and hash a large file between two messages. */
const STALL_MS = 600_000;
/** How long the end of an upload is doubted: a few turns of the loop, and that of a large one longer. */
const LARGE_UPLOAD_BYTES = 64 * 1024;
const DOUBT_MS = 2;
const DOUBT_TURNS = 3;

export interface CallContext {
  /** Fires when the client gave up, is gone, or its deadline has passed. */
  readonly signal: AbortSignal;
}

export interface CallOptions {
  readonly log: Logger;
  /** Called when a call is over, however it went. */
  readonly onEnd?: (record: CallRecord) => void;
  /** Whose call it is, for its record. */
  readonly callerOf?: (metadata: Metadata) => string | undefined;
  /** An upload of which nothing comes for so long is given up; ten minutes unless told. */
  readonly uploadStallMs?: number;
}

/** The part of all kinds of calls that is used here. */
interface AnyCall {
  readonly metadata: Metadata;
  getPath(): string;
  getPeer(): string;
  once(event: "cancelled", listener: () => void): unknown;
  off(event: "cancelled", listener: () => void): unknown;
}

/** Bytes of messages that a call has streamed, so far. */
interface Transfer {
  receivedBytes: number;
  sentBytes: number;
}

/** A stream of messages towards the client. */
interface Answers<Message> {
  write(message: Message, callback: () => void): boolean;
  end(): unknown;
  emit(event: "error", error: CallStatus): boolean;
}

const OK: status = 0;

export class CallHandlers {
  readonly #log: Logger;
  readonly #onEnd: (record: CallRecord) => void;
  readonly #callerOf: (metadata: Metadata) => string | undefined;
  readonly #stallMs: number;
  #running = 0;
  #whenIdle: (() => void)[] = [];

  constructor(options: CallOptions) {
    const { log, onEnd = () => {}, callerOf = () => undefined, uploadStallMs = STALL_MS } = options;
    this.#log = log;
    this.#onEnd = onEnd;
    this.#callerOf = callerOf;
    this.#stallMs = uploadStallMs;
  }

  /** One message in, one out. */
  unary<Request, Response>(
    handle: (request: Request, context: CallContext) => Promise<Response>,
  ): handleUnaryCall<Request, Response> {
    return (call, callback) => {
      this.#run(
        call,
        async (context) => callback(null, await handle(call.request, context)),
        (failure) => callback(failure),
      );
    };
  }

  /** Many messages in, one out. Breaking off the iteration refuses what else comes. */
  upload<Request extends Uint8Array, Response>(
    handle: (messages: AsyncIterable<Request>, context: CallContext) => Promise<Response>,
  ): handleClientStreamingCall<Request, Response> {
    return (call, callback) => {
      takeOneByOne(call);
      widenReceiveWindow(http2StreamOf(call)?.session as ServerHttp2Session | undefined);
      this.#run(
        call,
        async (context, transfer) =>
          callback(null, await handle(whole(call, this.#stallMs, transfer), context)),
        (failure) => callback(failure),
      );
    };
  }

  /**
   * One message in, many out, each with its length in bytes: these bound what waits to be sent. With `transient`
   * a message may be overwritten when the next but one is asked for.
   */
  download<Request, Response extends Uint8Array>(
    handle: (request: Request, context: CallContext) => AsyncIterable<Response>,
    { transient = false }: { readonly transient?: boolean } = {},
  ): handleServerStreamingCall<Request, Response> {
    // The one that waits has been copied already: grpc-js does that as soon as no other is before it.
    const aheadMax = transient ? 1 : SEND_AHEAD_MESSAGES;
    return (call) => {
      this.#run(
        call,
        async (context, transfer) => {
          await send(handle(call.request, context), call, { aheadMax, ...context, transfer });
        },
        (failure) => call.emit("error", failure),
      );
    };
  }

  /** How many calls are under way. */
  get running(): number {
    return this.#running;
  }

  /** Resolves when no call is under way. */
  idle(): Promise<void> {
    if (this.#running === 0) return Promise.resolve();
    return new Promise((resolve) => this.#whenIdle.push(resolve));
  }

  /** Runs one call; never throws. */
  async #run(
    call: AnyCall,
    serve: (context: CallContext, transfer: Transfer) => Promise<unknown>,
    fail: (failure: CallStatus) => unknown,
  ): Promise<void> {
    const startedMs = performance.now();
    const gone = new AbortController();
    const onCancelled = (): void =>
      gone.abort(new StoreError("aborted", "The call was cancelled, or its deadline has passed"));
    call.once("cancelled", onCancelled);
    const transfer = { receivedBytes: 0, sentBytes: 0 };
    let code = OK;
    this.#running++;
    try {
      await serve({ signal: gone.signal }, transfer);
    } catch (error) {
      const failure = callStatus(gone.signal.aborted ? gone.signal.reason : error);
      code = failure.code;
      this.#report(call.getPath(), failure, error);
      fail(failure);
    }
    // Calls that have ended well are told so, too.
    call.off("cancelled", onCancelled);
    this.#running--;
    if (this.#running === 0) for (const resolve of this.#whenIdle.splice(0)) resolve();
    this.#onEnd({
      method: call.getPath(),
      peer: call.getPeer(),
      caller: this.#callerOf(call.metadata),
      trace: traceOf(call.metadata),
      code,
      durationMs: performance.now() - startedMs,
      ...transfer,
    });
  }

  /** What went wrong on our side goes to the log; what the client did wrong it is told. */
  #report(method: string, { code }: CallStatus, error: unknown): void {
    const text = error instanceof StoreError ? error.message : stackOf(error);
    if (code === INTERNAL) this.#log.error({ method, error: text }, "a call failed unexpectedly");
    else if (code === DATA_LOSS) this.#log.error({ method, error: text }, "the store is damaged");
  }
}

const INTERNAL: status = 13;
const DATA_LOSS: status = 15;

/** The second part of a `traceparent`, which the newer generation of clients sends. */
export function traceOf(metadata: Metadata): string | undefined {
  const [header] = metadata.get("traceparent");
  return /^[\da-f]{2}-([\da-f]{32})-/.exec(String(header))?.[1];
}

function stackOf(error: unknown): string {
  return error instanceof Error ? (error.stack ?? error.message) : messageOf(error);
}

/**
 * Messages are taken off the wire when they are asked for, not sixteen ahead as streams of objects do: each
 * may be large.
 */
function takeOneByOne(call: object): void {
  (call as { _readableState: { highWaterMark: number } })._readableState.highWaterMark = 1;
}

/**
 * The messages of an upload. Some clients, Node's among them, break a stream off by ending it and taking that
 * back right after, so the end is believed only when a moment has passed.
 *
 * @throws {StoreError} `aborted` when the client has broken off its stream, `unavailable` when nothing
 *   came for `stallMs`.
 */
async function* whole<Message extends Uint8Array>(
  call: AsyncIterable<Message> & { destroy(error: Error): unknown },
  stallMs: number,
  transfer: Transfer,
): AsyncGenerator<Message> {
  const stalled = (): void =>
    void call.destroy(
      new StoreError("unavailable", `The upload has stalled: nothing came for ${stallMs / 1000} s`),
    );
  const timer = setTimeout(stalled, stallMs).unref();
  try {
    for await (const message of call) {
      transfer.receivedBytes += message.length;
      yield message;
      timer.refresh();
    }
  } finally {
    clearTimeout(timer);
  }
  if (transfer.receivedBytes >= LARGE_UPLOAD_BYTES) await sleep(DOUBT_MS);
  for (let turn = 0; turn < DOUBT_TURNS; turn++) await nextTurn();
  if (http2StreamOf(call)?.closed) throw new StoreError("aborted", "The upload was broken off");
}

/**
 * Writes `messages` and the end no faster than the client takes them, at most `aheadMax` before they are sent. Resolves
 * when all have been.
 */
async function send<Message extends Uint8Array>(
  messages: AsyncIterable<Message>,
  call: Answers<Message>,
  {
    aheadMax,
    signal,
    transfer,
  }: { readonly aheadMax: number; readonly signal: AbortSignal; readonly transfer: Transfer },
): Promise<void> {
  let waitingBytes = 0;
  let waitingMessages = 0;
  let wake = (): void => {};
  const onAbort = (): void => wake();
  signal.addEventListener("abort", onAbort);
  const progress = async (): Promise<void> => {
    await new Promise<void>((resolve) => {
      wake = resolve;
    });
    signal.throwIfAborted();
  };
  try {
    for await (const message of messages) {
      signal.throwIfAborted();
      transfer.sentBytes += message.length;
      waitingBytes += message.length;
      waitingMessages++;
      call.write(message, () => {
        waitingBytes -= message.length;
        waitingMessages--;
        wake();
      });
      while (waitingBytes > SEND_AHEAD_BYTES || waitingMessages > aheadMax) {
        await progress();
      }
    }
    call.end();
    while (waitingMessages > 0) await progress();
  } finally {
    signal.removeEventListener("abort", onAbort);
  }
}
