import { StoreError } from "../errors.js";
import { type ForeignFunction, lazySystemLibrary, type SystemLibrary } from "../system-library.js";
import { damaged, truncated } from "./damage.js";
import type { Step, SystemDecoder } from "./system-decoder.js";

interface Lzma {
  readonly lzma_stream_decoder: (stream: Uint8Array, memoryMax: bigint, flags: number) => number;
  readonly lzma_code: ForeignFunction<[Uint8Array, number], number>;
  readonly lzma_end: (stream: Uint8Array) => void;
}

const PROTOTYPES = {
  lzma_stream_decoder: "int lzma_stream_decoder(void *stream, uint64_t memoryMax, uint32_t flags)",
  lzma_code: "int lzma_code(void *stream, int action)",
  lzma_end: "void lzma_end(void *stream)",
} as const;

/** `lzma_stream`, all zeros at first. */
const STREAM_BYTES = 136;
const NEXT_IN_AT = 0;
const AVAILABLE_IN_AT = 8;
const NEXT_OUT_AT = 24;
const AVAILABLE_OUT_AT = 32;

const CONCATENATED = 0x08;
const RUN = 0;
const FINISH = 3;
const OK = 0;
const STREAM_END = 1;
const MEMLIMIT_ERROR = 6;
const BUF_ERROR = 10;

const REASONS: Readonly<Record<number, string>> = {
  5: "there is not enough memory",
  7: "it does not begin like xz",
  8: "it wants what this liblzma does not have",
  9: "it is damaged",
};

/** A dictionary is most of what a decoder needs; this is the rest. */
const DECODER_BYTES = 2 * 1024 * 1024;

const liblzma = lazySystemLibrary<Lzma>("liblzma.so.5", PROTOTYPES);

/** The decoder of liblzma; `undefined` when this system has none. */
export function openSystemXz(windowBytesMax: number): SystemDecoder | undefined {
  const library = liblzma();
  if (library === undefined) return undefined;
  const stream = Buffer.alloc(STREAM_BYTES);
  const memoryMax = BigInt(windowBytesMax + DECODER_BYTES);
  const { lzma_stream_decoder } = library.functions;
  if (lzma_stream_decoder(stream, memoryMax, CONCATENATED) !== OK) return undefined;
  return new XzDecoder(library, stream, windowBytesMax);
}

class XzDecoder implements SystemDecoder {
  readonly #library: SystemLibrary<Lzma>;
  readonly #stream: Buffer;
  readonly #windowBytesMax: number;
  #isEnded = false;

  constructor(library: SystemLibrary<Lzma>, stream: Buffer, windowBytesMax: number) {
    this.#library = library;
    this.#stream = stream;
    this.#windowBytesMax = windowBytesMax;
  }

  async step(input: Uint8Array, output: Uint8Array, isLast: boolean): Promise<Step> {
    if (this.#isEnded) return { takenBytes: 0, givenBytes: 0 };
    const stream = this.#stream;
    stream.writeBigUInt64LE(this.#library.address(input), NEXT_IN_AT);
    stream.writeBigUInt64LE(BigInt(input.length), AVAILABLE_IN_AT);
    stream.writeBigUInt64LE(this.#library.address(output), NEXT_OUT_AT);
    stream.writeBigUInt64LE(BigInt(output.length), AVAILABLE_OUT_AT);
    const left = (at: number): number => Number(stream.readBigUInt64LE(at));
    let result: number;
    do {
      result = await this.#code(isLast ? FINISH : RUN);
    } while (isLast && result === OK && left(AVAILABLE_OUT_AT) > 0);
    this.#isEnded = result === STREAM_END;
    // It says that it can do nothing when there was nothing to do; at the end there has to be.
    if (result === BUF_ERROR && isLast) throw truncated("xz");
    if (![OK, STREAM_END, BUF_ERROR].includes(result)) throw this.#failure(result);
    return {
      takenBytes: input.length - left(AVAILABLE_IN_AT),
      givenBytes: output.length - left(AVAILABLE_OUT_AT),
    };
  }

  close(): void {
    this.#library.functions.lzma_end(this.#stream);
  }

  #code(action: number): Promise<number> {
    return new Promise((resolve, reject) => {
      this.#library.functions.lzma_code.async(this.#stream, action, (error, result) => {
        if (error) reject(error);
        else resolve(result);
      });
    });
  }

  #failure(result: number): StoreError {
    if (result !== MEMLIMIT_ERROR) {
      return damaged("xz", new Error(REASONS[result] ?? `liblzma says ${result}`));
    }
    const problem = `it needs more than ${this.#windowBytesMax} bytes of memory for its dictionary`;
    return new StoreError("limit-exceeded", `Cannot decompress xz: ${problem}`);
  }
}
