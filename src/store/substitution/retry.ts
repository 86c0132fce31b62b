/**
 * Trying again what a server could not do for the moment.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { throwIfAborted } from "../../base/abort.js";
import { failureOf } from "./http-failure.js";

/** How often a request is made in all. */
const ATTEMPTS_MAX = 5;
/** The pause after the first attempt; doubled after each, at most the other, each shortened at random. */
const PAUSE_MS = 250;
const PAUSE_MS_MAX = 4000;
/** How much of a pause chance may take away, so that many clients do not come back at once. */
const JITTER = 0.5;
/** A server that wants to be left alone for longer is not waited for. */
const RETRY_AFTER_MS_MAX = 10_000;

export interface RetryOptions {
  readonly attemptsMax?: number;
  readonly pauseMs?: number;
}

/** Counts the attempts at one thing. */
export class Retry {
  readonly #attemptsMax: number;
  readonly #pauseMs: number;
  #attempts = 0;

  constructor({ attemptsMax = ATTEMPTS_MAX, pauseMs = PAUSE_MS }: RetryOptions = {}) {
    this.#attemptsMax = attemptsMax;
    this.#pauseMs = pauseMs;
  }

  /**
   * Waits until it is time for another attempt after `error`. One that brought part of the result has made
   * progress: the count begins anew, and a server that fell silent is asked again.
   *
   * @throws `error` when there should be none; `aborted` when `signal` fires.
   */
  async again(
    error: unknown,
    hasProgressed: boolean,
    signal: AbortSignal | undefined,
  ): Promise<void> {
    const failure = failureOf(error);
    const mayHelp = failure?.kind === "transient" || (failure?.kind === "stall" && hasProgressed);
    if (!mayHelp) throw error;
    this.#attempts = hasProgressed ? 1 : this.#attempts + 1;
    const { retryAfterMs = 0 } = failure;
    if (this.#attempts >= this.#attemptsMax || retryAfterMs > RETRY_AFTER_MS_MAX) throw error;
    const longest = Math.min(this.#pauseMs * 2 ** (this.#attempts - 1), PAUSE_MS_MAX);
    await pause(Math.max(longest * (1 - JITTER * Math.random()), retryAfterMs), signal);
  }
}

async function pause(timeMs: number, signal: AbortSignal | undefined): Promise<void> {
  try {
    await sleep(timeMs, undefined, signal && { signal });
  } catch (error) {
    throwIfAborted(signal);
    throw error;
  }
}
