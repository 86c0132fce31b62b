/**
 * Bodies of uploads, bounded in length and in patience.
 */
import { StoreError } from "../base/errors.js";

export interface BodyLimits {
  readonly bytesMax: number;
  /** How long a client may take for {@link PACE_BYTES}, or for the end of the body. */
  readonly stallMs: number;
}

/** Less than this in the time that is given, and a body counts as stalled: trickling keeps nothing alive. */
export const PACE_BYTES = 64 * 1024;

/**
 * What `source` gives. Only the time in which it is waited for counts: how long the consumer takes for each piece
 * is its own affair.
 *
 * @throws {StoreError} `limit-exceeded` when it is too long; `aborted` when it does not come.
 */
export async function* limitedBody(
  source: AsyncIterable<Uint8Array>,
  { bytesMax, stallMs }: BodyLimits,
): AsyncGenerator<Uint8Array> {
  const iterator = source[Symbol.asyncIterator]();
  let totalBytes = 0;
  let paceBytes = 0;
  let waitedMs = 0;
  let isStalled = false;
  try {
    for (;;) {
      const started = performance.now();
      const next = await within(iterator.next(), Math.max(stallMs - waitedMs, 1));
      if (next === STALLED) {
        isStalled = true;
        throw new StoreError("aborted", `The body does not come: ${totalBytes} bytes so far`);
      }
      if (next.done) return;
      waitedMs += performance.now() - started;
      totalBytes += next.value.length;
      paceBytes += next.value.length;
      if (totalBytes > bytesMax) throw tooLong(bytesMax);
      if (paceBytes >= PACE_BYTES) {
        paceBytes = 0;
        waitedMs = 0;
      }
      yield next.value;
    }
  } finally {
    // One that is still asked for more would not answer.
    const closed = iterator.return?.();
    if (isStalled) Promise.resolve(closed).catch(() => {});
    else await closed;
  }
}

/** The whole body, which is small. */
export async function readBody(source: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const pieces: Uint8Array[] = [];
  for await (const piece of source) pieces.push(piece);
  return Buffer.concat(pieces);
}

export function tooLong(bytesMax: number): StoreError {
  return new StoreError("limit-exceeded", `The body is too long: at most ${bytesMax} bytes`);
}

const STALLED = Symbol("stalled");

async function within<T>(promise: Promise<T>, limitMs: number): Promise<T | typeof STALLED> {
  let timer: NodeJS.Timeout | undefined;
  const limit = new Promise<typeof STALLED>((resolve) => {
    timer = setTimeout(() => resolve(STALLED), limitMs);
  });
  promise.catch(() => {});
  try {
    return await Promise.race([promise, limit]);
  } finally {
    clearTimeout(timer);
  }
}
