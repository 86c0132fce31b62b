/**
 * Trying again what a server could not take for the moment.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { status } from "@grpc/grpc-js";
import { throwIfAborted } from "../base/abort.js";

/** How often a call is made in all. With the pauses it rides out a server that restarts. */
export const ATTEMPTS_MAX = 6;
/** The pause after the first attempt; doubled after each, at most the other, each shortened at random. */
const PAUSE_MS = 100;
const PAUSE_MS_MAX = 1000;
/** How much of a pause chance may take away, so that many clients do not come back at once. */
const JITTER = 0.5;

/** Whether `error` tells of a call that the server did not, or could not, take. */
export function isTransient(error: unknown): boolean {
  const cause = error instanceof Error ? error.cause : undefined;
  return cause instanceof Error && "code" in cause && cause.code === status.UNAVAILABLE;
}

/** Waits before the attempt that follows attempt `number`, the first being 1. */
export async function pauseAfter(number: number, signal: AbortSignal | undefined): Promise<void> {
  const longest = Math.min(PAUSE_MS * 2 ** (number - 1), PAUSE_MS_MAX);
  try {
    await sleep(longest * (1 - JITTER * Math.random()), undefined, signal && { signal });
  } catch (error) {
    throwIfAborted(signal);
    throw error;
  }
}

/**
 * Runs `call`, again when it fails for the moment, at most {@link ATTEMPTS_MAX} times in all. Only for
 * calls that may be made twice.
 *
 * @throws what the last attempt throws.
 */
export async function retrying<T>(
  call: () => Promise<T>,
  signal: AbortSignal | undefined,
): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await call();
    } catch (error) {
      if (attempt === ATTEMPTS_MAX || !isTransient(error)) throw error;
    }
    await pauseAfter(attempt, signal);
  }
}
