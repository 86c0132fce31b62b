/**
 * Decompressing with the libraries of this system: compiled code on another thread, with output bounded by the
 * room it is given.
 */
import { gathered } from "../gathered.js";
import { oneAhead } from "../one-ahead.js";

/** A decompressor of a shared library, at one place of one input. */
export interface SystemDecoder {
  /**
   * Takes bytes from the beginning of `input`, which may be empty, and writes what comes of them to the
   * beginning of `output`. Neither may be touched until it resolves. With `isLast` there is no more input.
   *
   * @throws {StoreError} as `decompress`.
   */
  step(input: Uint8Array, output: Uint8Array, isLast: boolean): Promise<Step>;
  /** Gives its memory back. Not during a step. */
  close(): void;
}

export interface Step {
  readonly takenBytes: number;
  readonly givenBytes: number;
}

/** What goes into a step, where so much is there: telling another thread takes as long as zstd does for 100 KiB. */
const INPUT_BYTES_MAX = 128 * 1024;
/** What comes of one step: a millisecond of zstd, a few of xz. */
const STEP_BYTES_MAX = 512 * 1024;
const OUTPUT_BYTES = 2 * 1024 * 1024;

export interface DecoderOptions {
  /** About how much will come out, at most. */
  readonly bytesMax: number;
  /** Whether the memory of a piece is used again once a MiB more has come; without, pieces are the caller's to keep. */
  readonly transient: boolean;
}

const NOTHING = new Uint8Array(0);

/**
 * What `decoder`, which is closed at the end, makes of `source`: each piece while the consumer is at the one before.
 */
export function throughDecoder(
  decoder: SystemDecoder,
  source: AsyncIterable<Uint8Array>,
  { bytesMax, transient }: DecoderOptions,
): AsyncGenerator<Uint8Array> {
  let isPulling = true;
  async function* pulled(): AsyncGenerator<Uint8Array> {
    for await (const piece of gathered(source, INPUT_BYTES_MAX)) {
      isPulling = false;
      yield piece;
      isPulling = true;
    }
    isPulling = false;
  }
  const outputBytes = Math.min(bytesMax + 1, OUTPUT_BYTES);
  return oneAhead(steps(decoder, pulled(), outputBytes, transient), () => isPulling);
}

async function* steps(
  decoder: SystemDecoder,
  source: AsyncIterable<Uint8Array>,
  outputBytes: number,
  transient: boolean,
): AsyncGenerator<Uint8Array> {
  let memory: Uint8Array = NOTHING;
  let room: Uint8Array = NOTHING;
  async function* put(piece: Uint8Array, isLast: boolean): AsyncGenerator<Uint8Array> {
    for (let rest = piece; ; ) {
      if (room.length === 0) {
        if (!transient || memory.length === 0) memory = Buffer.allocUnsafeSlow(outputBytes);
        room = memory;
      }
      const output = room.subarray(0, STEP_BYTES_MAX);
      const { takenBytes, givenBytes } = await decoder.step(rest, output, isLast);
      rest = rest.subarray(takenBytes);
      room = room.subarray(givenBytes);
      if (givenBytes > 0) yield output.subarray(0, givenBytes);
      // What did not fill the room has nothing waiting behind it.
      if (rest.length === 0 && givenBytes < output.length) return;
    }
  }
  try {
    for await (const piece of source) {
      if (piece.length > 0) yield* put(piece, false);
    }
    yield* put(NOTHING, true);
  } finally {
    decoder.close();
  }
}
