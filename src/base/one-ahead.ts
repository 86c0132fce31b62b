import { letGo } from "./let-go.js";

/**
 * What `source` gives; it works on each piece while the consumer is at the one before. A consumer that stops waits for
 * the piece under way, but not when the source `isWaiting` for what may never come.
 */
export async function* oneAhead<T>(
  source: AsyncIterable<T>,
  isWaiting: () => boolean,
): AsyncGenerator<T> {
  const iterator = source[Symbol.asyncIterator]();
  let isPulling = false;
  const pull = (): Promise<IteratorResult<T>> => {
    isPulling = true;
    const pulled = iterator.next().finally(() => {
      isPulling = false;
    });
    // It may fail while nobody waits for it.
    pulled.catch(() => {});
    return pulled;
  };
  try {
    for (let next = pull(); ; ) {
      const { done, value } = await next;
      if (done) return;
      next = pull();
      yield value;
    }
  } finally {
    await letGo(iterator, isPulling && isWaiting());
  }
}
