/**
 * One file over several connections: the segment that is read now, and those behind it, which arrive in memory
 * meanwhile.
 */
import { PassThrough, pipeline, type Readable } from "node:stream";
import type { FilePart } from "./cache-fetcher.js";

export const SEGMENT_BYTES = 2 * 1024 * 1024;
/** The one that is read, and those that wait in memory. */
const SEGMENTS_AT_ONCE = 4;

/** Gets a part of the file. */
export type OpenSegment = (part: FilePart, signal: AbortSignal) => AsyncIterable<Uint8Array>;

/** The bytes of the file from `offset` to `end`. */
export async function* inSegments(
  { offset, end }: { readonly offset: number; readonly end: number },
  open: OpenSegment,
): AsyncGenerator<Uint8Array> {
  const stop = new AbortController();
  const arriving: Readable[] = [];
  let next = offset;
  try {
    for (;;) {
      while (next < end && arriving.length < SEGMENTS_AT_ONCE) {
        const part = { offset: next, length: Math.min(SEGMENT_BYTES, end - next) };
        arriving.push(inMemory(open(part, stop.signal)));
        next += part.length;
      }
      const [current] = arriving;
      if (current === undefined) return;
      yield* current;
      arriving.shift();
    }
  } finally {
    stop.abort();
    for (const segment of arriving) segment.destroy();
  }
}

/** What `source` gives, taken from it at once. */
function inMemory(source: AsyncIterable<Uint8Array>): Readable {
  const memory = new PassThrough({ highWaterMark: SEGMENT_BYTES });
  // Its failure is that of the memory, which whoever reads it is told.
  pipeline(source, memory, () => {});
  return memory;
}
