import { isTransient } from "./retry.js";

/**
 * One stream of bytes out of several: when one is cut, `rest` gives what follows what has come so far. Gives
 * up when a stream brought nothing new: what it asks was tried several times by then.
 *
 * @throws what the last stream throws.
 */
export async function* resumed(
  begin: () => AsyncIterable<Uint8Array>,
  rest: (offset: number) => AsyncIterable<Uint8Array>,
): AsyncGenerator<Uint8Array> {
  let offset = 0;
  for (let stream = begin(); ; stream = rest(offset)) {
    const before = offset;
    try {
      for await (const piece of stream) {
        offset += piece.length;
        yield piece;
      }
      return;
    } catch (error) {
      if (offset === before || !isTransient(error)) throw error;
    }
  }
}
