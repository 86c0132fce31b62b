import type { Transform } from "node:stream";

/**
 * What comes out of a Node stream when `source` is put through it, one piece after the other: the next one is
 * asked for when all that the last one gave has been taken. The stream is destroyed in any case.
 *
 * @param failure what the stream's own errors are thrown as
 */
export async function* throughTransform(
  transform: Transform,
  source: AsyncIterable<Uint8Array>,
  failure: (error: Error) => unknown = (error) => error,
): AsyncGenerator<Uint8Array> {
  let failed: { error: Error } | undefined;
  let isEnded = false;
  let wake = (): void => {};
  transform.on("readable", () => wake());
  transform.on("end", () => {
    isEnded = true;
    wake();
  });
  transform.on("error", (error) => {
    failed = { error };
    wake();
  });

  /** What there is to read, until `isDone` says that this is all. */
  async function* output(isDone: () => boolean): AsyncGenerator<Uint8Array> {
    for (;;) {
      // Listening before looking: what happens in between is not missed.
      const changed = new Promise<void>((resolve) => {
        wake = resolve;
      });
      if (failed !== undefined) throw failure(failed.error);
      const chunk: Uint8Array | null = transform.read();
      if (chunk !== null) yield chunk;
      else if (isEnded || isDone()) return;
      else await changed;
    }
  }

  try {
    for await (const piece of source) {
      if (piece.length === 0) continue;
      let isTaken = false;
      transform.write(piece, () => {
        isTaken = true;
        wake();
      });
      yield* output(() => isTaken);
      if (isEnded) return;
    }
    transform.end();
    yield* output(() => false);
  } finally {
    transform.destroy();
  }
}
