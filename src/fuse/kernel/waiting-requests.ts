/**
 * Requests that wait for something to be fetched. Whoever serves the mount never waits: such a request is handed over
 * to this, on the main thread, which has it fetched, handles the request again and writes the reply to the same device.
 */
import { setImmediate } from "node:timers/promises";
import { LRUCache } from "lru-cache";
import { asBuffer } from "../../base/bytes.js";
import { StoreError } from "../../base/errors.js";
import type { Logger } from "../../base/log.js";
import { FuseReply } from "../protocol/reply.js";
import { FuseRequest } from "../protocol/request.js";
import { writeReply } from "./device-loop.js";
import type { Dispatcher } from "./dispatch.js";

/**
 * Makes what a `Miss` wants resident, or throws a `StoreError` that tells why it cannot. What takes long but
 * is getting on calls `onProgress`: the time the request has begins anew.
 */
export type Fetch = (want: unknown, signal: AbortSignal, onProgress: () => void) => Promise<void>;

const EARLY_MAX = 1024;
/** Requests in waiting; more are refused with EIO. Each is a program that stands still. */
const WAITING_MAX = 1024;
/** After this without progress a request fails with EIO. */
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

  /**
   * Takes a whole request that missed `want`, and its memory, and sees to it that it is answered. Never
   * throws.
   */
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
    const ending = new AbortController();
    // Not AbortSignal.timeout, which Node may collect while it is only part of an AbortSignal.any.
    const timer = setTimeout(() => ending.abort(lateness(deadlineMs)), deadlineMs);
    if (this.#early.delete(unique)) ending.abort(interruption());
    this.#waiting.set(unique, ending);
    try {
      await this.#fetchAndAnswer(request, want, ending.signal, () => {
        // A timer that was cleared would come to life again.
        if (this.#waiting.has(unique)) timer.refresh();
      });
    } catch (error) {
      this.#refuse(request, ending.signal.aborted ? ending.signal.reason : error);
    } finally {
      clearTimeout(timer);
      this.#waiting.delete(unique);
    }
  }

  /** The caller of request `unique` was interrupted: if it waits here, it is answered with EINTR. */
  interrupt(unique: bigint): void {
    const waiting = this.#waiting.get(unique);
    if (waiting === undefined) this.#early.set(unique, true);
    else waiting.abort(interruption());
  }

  /** Answers everything that waits with an error: the mount is ending. */
  close(): void {
    for (const waiting of this.#waiting.values()) waiting.abort(interruption());
  }

  async #fetchAndAnswer(
    request: FuseRequest,
    firstWant: unknown,
    signal: AbortSignal,
    onProgress: () => void,
  ): Promise<void> {
    const { device, dispatcher, fetch, log } = this.#options;
    for (let want = firstWant; ; ) {
      signal.throwIfAborted();
      await untilAborted(fetch(want, signal, onProgress), signal);
      const outcome = dispatcher.handle(request, this.#reply);
      if (outcome === "reply") return writeReply(device, this.#reply, log);
      if (outcome === "silence") return;
      want = outcome.want;
      // Fetches that end at once and bring nothing must not keep the deadline from passing.
      await setImmediate();
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
  let onAbort = (): void => {};
  const aborted = new Promise<never>((_, reject) => {
    onAbort = () => reject(signal.reason);
    signal.addEventListener("abort", onAbort);
  });
  try {
    await Promise.race([fetching, aborted]);
  } finally {
    signal.removeEventListener("abort", onAbort);
  }
}

function requestOn(bytes: Uint8Array): FuseRequest {
  const request = new FuseRequest(asBuffer(bytes));
  request.take(bytes.length);
  return request;
}

function interruption(): StoreError {
  return new StoreError("aborted", "The caller was interrupted");
}

function lateness(deadlineMs: number): StoreError {
  return new StoreError("unavailable", `It was not fetched within ${deadlineMs / 1000} s`);
}
