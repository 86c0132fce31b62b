/**
 * Giving calls up: what a signal means for the promises of this code base.
 */
import { isStoreError, StoreError } from "./errors.js";

/** The error of a call that `signal` ended: its reason where that says why, else code `aborted`. */
export function abortError(signal: AbortSignal): StoreError {
  const { reason } = signal;
  return isStoreError(reason) ? reason : new StoreError("aborted", "The caller gave it up");
}

/** @throws {StoreError} see {@link abortError}, when `signal` has fired. */
export function throwIfAborted(signal: AbortSignal | undefined): void {
  if (signal?.aborted) throw abortError(signal);
}

/**
 * What becomes of `promise`, unless `signal` fires before: then the error of {@link abortError}. The work
 * behind `promise` goes on; its failure is nobody's any more.
 */
export async function untilAborted<T>(
  promise: Promise<T>,
  signal: AbortSignal | undefined,
): Promise<T> {
  if (signal === undefined) return await promise;
  promise.catch(() => {});
  throwIfAborted(signal);
  let onAbort = (): void => {};
  const aborted = new Promise<never>((_, reject) => {
    onAbort = () => reject(abortError(signal));
    signal.addEventListener("abort", onAbort);
  });
  try {
    return await Promise.race([promise, aborted]);
  } finally {
    signal.removeEventListener("abort", onAbort);
  }
}
