import { abortError, throwIfAborted } from "./abort.js";
import { letGo } from "./let-go.js";

/**
 * What `source` gives, until `signal` fires: then the error of `abortError`, however long the source takes for
 * its next piece. The source is let go of in any case.
 */
export async function* abortable<T>(
  source: AsyncIterable<T> | Iterable<T>,
  signal: AbortSignal | undefined,
): AsyncGenerator<T> {
  const iterator =
    Symbol.asyncIterator in source ? source[Symbol.asyncIterator]() : source[Symbol.iterator]();
  let isPulling = false;
  let giveUp = (_reason: unknown): void => {};
  // One for all pieces, of which there are many.
  const onAbort = (): void => giveUp(signal && abortError(signal));
  signal?.addEventListener("abort", onAbort);
  try {
    for (;;) {
      throwIfAborted(signal);
      isPulling = true;
      const { done, value } = await new Promise<IteratorResult<T>>((resolve, reject) => {
        giveUp = reject;
        Promise.resolve(iterator.next()).then(resolve, reject);
      });
      isPulling = false;
      if (done) return;
      yield value;
    }
  } finally {
    signal?.removeEventListener("abort", onAbort);
    await letGo(iterator, isPulling);
  }
}
