import { setImmediate } from "node:timers/promises";
import { isStoreError } from "../errors.js";
import { require } from "../require.js";
import { damaged, truncated } from "./damage.js";

/** Gives the next `count` bits; with `null` passes over those that are left of a byte. */
interface BitReader {
  (count: number | null): number;
  /** How many bytes have been begun. */
  readonly bytesRead: number;
}

/** The parts that unbzip2-stream is made of. Its stream itself runs ahead of whoever reads it. */
interface Bzip2 {
  /** Reads the head of a stream: the size of its blocks in units of 100 kB. */
  header(bits: BitReader): number;
  /** Unpacks a block. Gives the running checksum, or `null` at the end of the stream. */
  decompress(
    bits: BitReader,
    emit: (byte: number) => void,
    memory: Int32Array,
    memoryLength: number,
    checksum: number,
  ): number | null;
}

/**
 * The most a block can take: 900,000 symbols of 20 bits, and its tables. The library reads bits as if all were
 * there, so a whole block has to be.
 */
const BLOCK_BYTES_MAX = 2_400_000;

const OUTPUT_BYTES = 1024 * 1024;

/** Needs 4 MB for a block and up to 46 MB for what comes out of one made to be large. */
export async function* decompressBzip2(
  source: AsyncIterable<Uint8Array>,
): AsyncGenerator<Uint8Array> {
  const input = new BlockInput(source);
  try {
    if (!(await input.hasMore())) throw truncated("bzip2");
    let block: { readonly memory: Int32Array; checksum: number } | undefined;
    while (block !== undefined || (await input.hasMore())) {
      await input.fill(BLOCK_BYTES_MAX);
      const output = new Output();
      try {
        if (block === undefined) {
          const size = codec().header(input.bits);
          block = { memory: new Int32Array(size * 100_000), checksum: 0 };
        } else {
          const { memory } = block;
          const emit = (byte: number) => output.push(byte);
          const checksum = codec().decompress(
            input.bits,
            emit,
            memory,
            memory.length,
            block.checksum,
          );
          if (checksum === null) block = undefined;
          else block.checksum = checksum;
        }
      } catch (error) {
        throw isStoreError(error) ? error : damaged("bzip2", error);
      }
      yield* output.pieces();
      // Blocks take tens of milliseconds, and nothing else runs meanwhile.
      await setImmediate();
    }
  } finally {
    await input.close();
  }
}

function codec(): Bzip2 {
  return require("unbzip2-stream/lib/bzip2.js") as Bzip2;
}

/** Compressed bytes that are there before they are asked for. */
class BlockInput {
  readonly #iterator: AsyncIterator<Uint8Array>;
  readonly #chunks: Uint8Array[] = [];
  #bits: BitReader | undefined;
  #bytesPulled = 0;
  #isEnded = false;

  constructor(source: AsyncIterable<Uint8Array>) {
    this.#iterator = source[Symbol.asyncIterator]();
  }

  get bits(): BitReader {
    this.#bits ??= (
      require("unbzip2-stream/lib/bit_iterator.js") as (next: () => Uint8Array) => BitReader
    )(() => {
      const chunk = this.#chunks.shift();
      if (chunk === undefined) throw truncated("bzip2");
      return chunk;
    });
    return this.#bits;
  }

  /** Waits until there are `count` bytes, or all that come. */
  async fill(count: number): Promise<void> {
    while (!this.#isEnded && this.#bytesLeft < count) {
      const { done, value } = await this.#iterator.next();
      if (done) {
        this.#isEnded = true;
      } else if (value.length > 0) {
        this.#bytesPulled += value.length;
        this.#chunks.push(value);
      }
    }
  }

  async hasMore(): Promise<boolean> {
    await this.fill(1);
    return this.#bytesLeft > 0;
  }

  async close(): Promise<void> {
    if (!this.#isEnded) await this.#iterator.return?.();
  }

  get #bytesLeft(): number {
    return this.#bytesPulled - (this.#bits?.bytesRead ?? 0);
  }
}

/** Bytes that come one by one. */
class Output {
  readonly #full: Uint8Array[] = [];
  #piece = Buffer.alloc(0);
  #length = 0;

  push(byte: number): void {
    if (this.#length === this.#piece.length) {
      if (this.#length > 0) this.#full.push(this.#piece);
      this.#piece = Buffer.allocUnsafeSlow(OUTPUT_BYTES);
      this.#length = 0;
    }
    this.#piece[this.#length++] = byte;
  }

  *pieces(): Generator<Uint8Array> {
    yield* this.#full;
    if (this.#length > 0) yield this.#piece.subarray(0, this.#length);
  }
}
