import { letGo } from "./let-go.js";

/**
 * What `source` gives, in as few pieces as it can be had without waiting: each is what has come since the last, at
 * most `bytesMax`. Up to that much is read ahead. A piece lies on memory that is used again once the next is asked for.
 * A consumer that stops does not wait for a source that was asked for more.
 */
export async function* gathered(
  source: AsyncIterable<Uint8Array>,
  bytesMax: number,
): AsyncGenerator<Uint8Array> {
  const iterator = source[Symbol.asyncIterator]();
  let filling: Buffer = Buffer.allocUnsafeSlow(bytesMax);
  let taken: Buffer | undefined;
  let bytes = 0;
  let isPulling = false;
  let isOver = false;
  // The two sides never wait at the same time: one does while nothing is there, the other while there is no room.
  let proceed = (): void => {};
  const change = (): Promise<void> => new Promise((resolve) => (proceed = resolve));

  const fill = async (): Promise<void> => {
    while (!isOver) {
      isPulling = true;
      const { done, value } = await iterator.next();
      isPulling = false;
      if (done) return;
      for (let rest = value; rest.length > 0; ) {
        while (bytes === bytesMax && !isOver) await change();
        if (isOver) return;
        const part = rest.subarray(0, bytesMax - bytes);
        filling.set(part, bytes);
        bytes += part.length;
        rest = rest.subarray(part.length);
        proceed();
      }
    }
  };
  const filled = fill().finally(() => {
    isOver = true;
    proceed();
  });
  // It may fail while nobody waits for it.
  filled.catch(() => {});

  try {
    for (;;) {
      while (bytes === 0 && !isOver) await change();
      if (bytes === 0) return await filled;
      const piece = filling.subarray(0, bytes);
      [filling, taken] = [taken ?? Buffer.allocUnsafeSlow(bytesMax), filling];
      bytes = 0;
      proceed();
      yield piece;
    }
  } finally {
    isOver = true;
    proceed();
    await letGo(iterator, isPulling);
  }
}
