/**
 * Requests that wait for something to be fetched. Threads that serve the mount never wait: they hand such a
 * request to the main thread, which fetches what is missing, handles the request again and writes the reply
 * to the same device.
 */
import { LRUCache } from "lru-cache";
import { messageOf, StoreError } from "../../base/errors.js";
import type { Logger } from "../../base/log.js";
import { FuseReply } from "../protocol/reply.js";
import { FuseRequest } from "../protocol/request.js";
import { REQUEST_BYTES, writeReply } from "./device-loop.js";
import type { Dispatcher } from "./dispatch.js";

/** Makes what a `Miss` wants resident, or throws a `StoreError` that tells why it cannot. */
export type Fetch = (want: unknown, signal: AbortSignal) => Promise<void>;

const EARLY_MAX = 1024;
/** Requests in waiting; more are refused with EIO. Each is a program that stands still. */
const WAITING_MAX = 1024;
/** After this a request fails with EIO. */
const DEADLINE_MS = 120_000;

export interface WaitingRequestsOptions {
  readonly device: number;
  readonly readBytesMax: number;
  readonly dispatcher: Dispatcher;
  readonly fetch: Fetch;
  readonly log: Logger;
  readonly waitingMax?: number;
  readonly deadlineMs?: number;
}

export class WaitingRequests {
  readonly #options: WaitingRequestsOptions;
  readonly #waiting = new Map<bigint, AbortController>();
  /** Interruptions that came from another thread before their request did. */
  readonly #early = new LRUCache<bigint, true>({ max: EARLY_MAX });
  readonly #reply: FuseReply;

  constructor(options: WaitingRequestsOptions) {
    this.#options = options;
    this.#reply = new FuseReply(options.readBytesMax);
  }

  /** Takes a whole request that missed `want`, and sees to it that it is answered. Never throws. */
  async wait(bytes: Uint8Array, want: unknown): Promise<void> {
    const request = requestOn(bytes);
    const { waitingMax = WAITING_MAX, deadlineMs = DEADLINE_MS } = this.#options;
    if (this.#waiting.size >= waitingMax) {
      const error = new StoreError(
        "limit-exceeded",
        `More than ${waitingMax} requests are waiting`,
      );
      return this.#refuse(request, error);
    }
    const { unique } = request;
    const interrupted = new AbortController();
    if (this.#early.delete(unique)) interrupted.abort();
    this.#waiting.set(unique, interrupted);
    try {
      await this.#fetchAndAnswer(request, want, interrupted.signal, deadlineMs);
    } catch (error) {
      this.#refuse(request, interrupted.signal.aborted ? interruption() : error);
    } finally {
      this.#waiting.delete(unique);
    }
  }

  /** The caller of request `unique` was interrupted: if it waits here, it is answered with EINTR. */
  interrupt(unique: bigint): void {
    const waiting = this.#waiting.get(unique);
    if (waiting === undefined) this.#early.set(unique, true);
    else waiting.abort();
  }

  /** Answers everything that waits with an error: the mount is ending. */
  close(): void {
    for (const waiting of this.#waiting.values()) waiting.abort();
  }

  async #fetchAndAnswer(
    request: FuseRequest,
    firstWant: unknown,
    interrupted: AbortSignal,
    deadlineMs: number,
  ): Promise<void> {
    const { device, dispatcher, fetch, log } = this.#options;
    const signal = AbortSignal.any([interrupted, AbortSignal.timeout(deadlineMs)]);
    for (let want = firstWant; ; ) {
      signal.throwIfAborted();
      await untilAborted(fetch(want, signal), signal);
      const outcome = dispatcher.handle(request, this.#reply);
      if (outcome === "reply") return writeReply(device, this.#reply, log);
      if (outcome === "silence") return;
      want = outcome.want;
    }
  }

  #refuse(request: FuseRequest, error: unknown): void {
    const { device, dispatcher, log } = this.#options;
    dispatcher.refuse(request, this.#reply, error);
    writeReply(device, this.#reply, log);
  }
}

/** A fetch that does not heed its signal must not hold up the answer. */
async function untilAborted(fetching: Promise<void>, signal: AbortSignal): Promise<void> {
  const aborted = new Promise<never>((_, reject) => {
    signal.addEventListener(
      "abort",
      () => reject(new StoreError("unavailable", `Gave up fetching: ${messageOf(signal.reason)}`)),
      { once: true },
    );
  });
  await Promise.race([fetching, aborted]);
}

function requestOn(bytes: Uint8Array): FuseRequest {
  const memory = Buffer.alloc(REQUEST_BYTES);
  memory.set(bytes);
  const request = new FuseRequest(memory);
  request.take(bytes.length);
  return request;
}

function interruption(): StoreError {
  return new StoreError("aborted", "The caller was interrupted");
}
