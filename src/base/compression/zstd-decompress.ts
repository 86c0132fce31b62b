import { setImmediate } from "node:timers/promises";
import type { Decompress } from "fzstd";
import { ByteReader } from "../byte-reader.js";
import { asBuffer } from "../bytes.js";
import { StoreError } from "../errors.js";
import { require } from "../require.js";
import { damaged, trailing, truncated } from "./damage.js";
import {
  BLOCK_HEADER_BYTES,
  CHECKSUM_BYTES,
  frameHeaderBytes,
  MAGIC,
  parseBlockHeader,
  parseFrameHeader,
  SKIPPABLE_MAGIC,
  SKIPPABLE_MASK,
} from "./zstd-frame.js";

/**
 * The decoder moves its whole window for each block, however small. Content made to exploit this is refused:
 * when more than this many bytes were moved for each one that went in or came out.
 */
const MOVED_FACTOR_MAX = 4096;
/** What may be moved before that counts. */
const MOVED_BYTES_FREE = 1024 ** 3;

/** After how many blocks, of up to a millisecond each, the event loop gets its turn. */
const BLOCKS_PER_TURN = 8;

/**
 * One block at a time goes to the decoder, so what comes out at once is never more than a block. The checksum
 * of a frame is not compared: what is fetched compressed has a hash of its own.
 */
export async function* decompressZstd(
  source: AsyncIterable<Uint8Array>,
  windowBytesMax: number,
): AsyncGenerator<Uint8Array> {
  await using input = new ByteReader(source);
  const effort = new Effort();
  let isFirst = true;
  while (await input.fill(1)) {
    const magic = (await fill(input, 4)).readUInt32LE();
    if (magic === MAGIC) {
      yield* decodeFrame(input, windowBytesMax, effort);
    } else if ((magic & SKIPPABLE_MASK) >>> 0 === SKIPPABLE_MAGIC) {
      const size = (await fill(input, 8)).readUInt32LE(4);
      input.advance(8);
      await skip(input, size);
    } else {
      throw isFirst ? damaged("zstd", "it does not begin like zstd") : trailing("zstd");
    }
    isFirst = false;
  }
  if (isFirst) throw truncated("zstd");
}

async function* decodeFrame(
  input: ByteReader,
  windowBytesMax: number,
  effort: Effort,
): AsyncGenerator<Uint8Array> {
  const length = frameHeaderBytes((await fill(input, 5)).readUInt8(4));
  const frame = parseFrameHeader(await fill(input, length));
  if (frame === undefined) throw damaged("zstd", "its frame is of an unknown kind");
  if (frame.hasDictionary) throw damaged("zstd", "it needs a dictionary");
  if (frame.windowBytes > BigInt(windowBytesMax)) {
    throw new StoreError(
      "limit-exceeded",
      `Cannot decompress zstd: its window has ${frame.windowBytes} bytes, more than ${windowBytesMax}`,
    );
  }
  const windowBytes = Number(frame.windowBytes);

  const { Decompress } = require("fzstd") as typeof import("fzstd");
  let output: Uint8Array[] = [];
  const decoder = new Decompress((piece) => output.push(piece));
  push(decoder, take(input, length), false);

  for (let blockCount = 1; ; blockCount++) {
    const block = parseBlockHeader(await fill(input, BLOCK_HEADER_BYTES));
    if (block === undefined) throw damaged("zstd", "it has a block that cannot be");
    const isEnd = block.isLast;
    const bytes =
      BLOCK_HEADER_BYTES + block.bodyBytes + (isEnd && frame.hasChecksum ? CHECKSUM_BYTES : 0);
    await fill(input, bytes);
    push(decoder, take(input, bytes), isEnd);
    effort.spend(windowBytes, bytes + output.reduce((sum, piece) => sum + piece.length, 0));
    yield* output;
    output = [];
    if (isEnd) return;
    if (blockCount % BLOCKS_PER_TURN === 0) await setImmediate();
  }
}

/** The bytes that come next, at least `count` of them. */
async function fill(input: ByteReader, count: number): Promise<Buffer> {
  if (!(await input.fill(count))) throw truncated("zstd");
  return asBuffer(input.head.subarray(input.at));
}

async function skip(input: ByteReader, count: number): Promise<void> {
  for (let left = count; left > 0; ) {
    await fill(input, 1);
    left -= input.take(left).length;
  }
}

/** A copy: the decoder keeps what it cannot use yet, and the memory is the source's. */
function take(input: ByteReader, count: number): Uint8Array {
  return Uint8Array.prototype.slice.call(input.take(count));
}

function push(decoder: Decompress, bytes: Uint8Array, isEnd: boolean): void {
  try {
    decoder.push(bytes, isEnd);
  } catch (error) {
    throw damaged("zstd", error);
  }
}

/** Keeps account of what the content costs against what it is worth. */
class Effort {
  #bytesAllowed = MOVED_BYTES_FREE;

  spend(movedBytes: number, usefulBytes: number): void {
    this.#bytesAllowed += usefulBytes * MOVED_FACTOR_MAX - movedBytes;
    if (this.#bytesAllowed >= 0) return;
    throw new StoreError(
      "limit-exceeded",
      "Cannot decompress zstd: its blocks are too small for so large a window",
    );
  }
}
