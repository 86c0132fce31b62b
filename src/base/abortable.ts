import { throwIfAborted, untilAborted } from "./abort.js";
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
  try {
    for (;;) {
      throwIfAborted(signal);
      isPulling = true;
      const { done, value } = await untilAborted(Promise.resolve(iterator.next()), signal);
      isPulling = false;
      if (done) return;
      yield value;
    }
  } finally {
    await letGo(iterator, isPulling);
  }
}
