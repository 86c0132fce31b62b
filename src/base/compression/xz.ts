import { StoreError } from "../errors.js";
import { require } from "../require.js";
import { damaged, truncated } from "./damage.js";

/** The part of lzma-native that its own streams are made of. */
interface LzmaStream {
  streamDecoder_(memoryBytesMax: number, flags: number): void;
  easyEncoder_(preset: number, check: number): void;
  /** Works on a piece, `null` for the end, on another thread; `bufferHandler` hears what comes of it. */
  code(piece: Uint8Array | null, isAsync: boolean): void;
  /** Gives its memory back. */
  resetUnderlying(): void;
  /** With a buffer: output. With `null`: the end, or an error. With a number of pieces: those are done with. */
  bufferHandler: (
    output: Uint8Array | null | undefined,
    pieceCount: number | undefined,
    error: LzmaError | null | undefined,
  ) => void;
}

interface LzmaError extends Error {
  readonly code: number;
}

interface LzmaNative {
  readonly Stream: new () => LzmaStream;
}

// liblzma's numbers; the package has most of them only as text.
const CONCATENATED = 0x08;
const CHECK_CRC64 = 4;
const MEMLIMIT_ERROR = 6;
const BUF_ERROR = 10;

/** The default of the xz tool and of Nix. */
const PRESET = 6;

/** A dictionary is most of what a decoder needs; this is the rest. */
const DECODER_BYTES = 2 * 1024 * 1024;

/**
 * All that a piece gives is there at once, and xz can hold some 7000 times its size: so what has to fit in
 * memory is at most 28 MB.
 */
const COMPRESSED_PIECE_BYTES = 4 * 1024;
const PLAIN_PIECE_BYTES = 256 * 1024;

export async function* decompressXz(
  source: AsyncIterable<Uint8Array>,
  windowBytesMax: number,
): AsyncGenerator<Uint8Array> {
  const stream = newStream();
  stream.streamDecoder_(windowBytesMax + DECODER_BYTES, CONCATENATED);
  yield* run(stream, source, COMPRESSED_PIECE_BYTES, (error) => {
    if (error.code === BUF_ERROR) return truncated("xz");
    if (error.code !== MEMLIMIT_ERROR) return damaged("xz", error);
    const problem = `it needs more than ${windowBytesMax} bytes of memory for its dictionary`;
    return new StoreError("limit-exceeded", `Cannot decompress xz: ${problem}`, { cause: error });
  });
}

export async function* compressXz(source: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  const stream = newStream();
  stream.easyEncoder_(PRESET, CHECK_CRC64);
  yield* run(stream, source, PLAIN_PIECE_BYTES, (error) => error);
}

function newStream(): LzmaStream {
  const { Stream } = require("lzma-native") as LzmaNative;
  return new Stream();
}

async function* run(
  stream: LzmaStream,
  source: AsyncIterable<Uint8Array>,
  pieceBytesMax: number,
  failure: (error: LzmaError) => unknown,
): AsyncGenerator<Uint8Array> {
  try {
    for await (const chunk of source) {
      for (let at = 0; at < chunk.length; at += pieceBytesMax) {
        yield* await code(stream, chunk.subarray(at, at + pieceBytesMax), failure);
      }
    }
    yield* await code(stream, null, failure);
  } finally {
    stream.resetUnderlying();
  }
}

async function code(
  stream: LzmaStream,
  piece: Uint8Array | null,
  failure: (error: LzmaError) => unknown,
): Promise<Uint8Array[]> {
  const outputs: Uint8Array[] = [];
  await new Promise<void>((resolve, reject) => {
    stream.bufferHandler = (output, _pieceCount, error) => {
      if (output) outputs.push(output);
      // It has more calls to make before it can be used again.
      else setImmediate(() => (error ? reject(failure(error)) : resolve()));
    };
    stream.code(piece, true);
  });
  return outputs;
}
