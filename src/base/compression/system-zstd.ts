import { StoreError } from "../errors.js";
import { type ForeignFunction, lazySystemLibrary, type SystemLibrary } from "../system-library.js";
import { damaged, trailing, truncated } from "./damage.js";
import type { Step, SystemDecoder } from "./system-decoder.js";

/** Only ever handed back to the library. */
type Context = { readonly brand: "ZSTD_DCtx" };

interface Zstd {
  readonly ZSTD_createDCtx: () => Context | null;
  readonly ZSTD_freeDCtx: (context: Context) => number;
  readonly ZSTD_DCtx_setParameter: (context: Context, parameter: number, value: number) => number;
  readonly ZSTD_decompressStream: ForeignFunction<[Context, Uint8Array, Uint8Array], number>;
  readonly ZSTD_isError: (result: number) => number;
  readonly ZSTD_getErrorName: (result: number) => string;
}

const PROTOTYPES = {
  ZSTD_createDCtx: "void *ZSTD_createDCtx()",
  ZSTD_freeDCtx: "size_t ZSTD_freeDCtx(void *context)",
  ZSTD_DCtx_setParameter: "size_t ZSTD_DCtx_setParameter(void *context, int parameter, int value)",
  ZSTD_decompressStream: "size_t ZSTD_decompressStream(void *context, void *output, void *input)",
  ZSTD_isError: "unsigned int ZSTD_isError(size_t result)",
  ZSTD_getErrorName: "const char *ZSTD_getErrorName(size_t result)",
} as const;

const WINDOW_LOG_MAX = 100;

/** `ZSTD_inBuffer` and `ZSTD_outBuffer`: address, size, and how far it has been used. */
const BUFFER_BYTES = 24;
const SIZE_AT = 8;
const POSITION_AT = 16;

const libzstd = lazySystemLibrary<Zstd>("libzstd.so.1", PROTOTYPES);

/** The decoder of libzstd, which checks checksums as well; `undefined` when this system has none. */
export function openSystemZstd(windowBytesMax: number): SystemDecoder | undefined {
  const library = libzstd();
  const context = library?.functions.ZSTD_createDCtx() ?? undefined;
  if (library === undefined || context === undefined) return undefined;
  return new ZstdDecoder(library, context, windowBytesMax);
}

class ZstdDecoder implements SystemDecoder {
  readonly #library: SystemLibrary<Zstd>;
  readonly #context: Context;
  readonly #windowBytesMax: number;
  readonly #input = Buffer.alloc(BUFFER_BYTES);
  readonly #output = Buffer.alloc(BUFFER_BYTES);
  #framesEnded = 0;
  #isInside = false;

  constructor(library: SystemLibrary<Zstd>, context: Context, windowBytesMax: number) {
    this.#library = library;
    this.#context = context;
    this.#windowBytesMax = windowBytesMax;
    const log = Math.floor(Math.log2(windowBytesMax));
    library.functions.ZSTD_DCtx_setParameter(context, WINDOW_LOG_MAX, log);
  }

  async step(input: Uint8Array, output: Uint8Array, isLast: boolean): Promise<Step> {
    if (input.length === 0 && !this.#isInside) {
      // The library would take it for the beginning of another frame.
      if (isLast && this.#framesEnded === 0) throw truncated("zstd");
      return { takenBytes: 0, givenBytes: 0 };
    }
    point(this.#input, this.#library.address(input), input.length);
    point(this.#output, this.#library.address(output), output.length);
    const left = await this.#decompress();
    const takenBytes = Number(this.#input.readBigUInt64LE(POSITION_AT));
    const givenBytes = Number(this.#output.readBigUInt64LE(POSITION_AT));
    this.#isInside = left !== 0;
    if (!this.#isInside) this.#framesEnded++;
    // All that it holds has come out.
    if (isLast && this.#isInside && givenBytes < output.length) throw truncated("zstd");
    return { takenBytes, givenBytes };
  }

  close(): void {
    this.#library.functions.ZSTD_freeDCtx(this.#context);
  }

  /** How much more would be good to have; 0 at the end of a frame. */
  #decompress(): Promise<number> {
    const { ZSTD_decompressStream, ZSTD_isError } = this.#library.functions;
    return new Promise((resolve, reject) => {
      const done = (error: unknown, result: number): void => {
        if (error) reject(error);
        else if (ZSTD_isError(result) !== 0) reject(this.#failure(result));
        else resolve(result);
      };
      ZSTD_decompressStream.async(this.#context, this.#output, this.#input, done);
    });
  }

  #failure(result: number): StoreError {
    const reason = this.#library.functions.ZSTD_getErrorName(result);
    if (/too much memory/.test(reason)) {
      const problem = `its window has more than ${this.#windowBytesMax} bytes`;
      return new StoreError("limit-exceeded", `Cannot decompress zstd: ${problem}`);
    }
    const isStart = !this.#isInside && this.#framesEnded > 0;
    return isStart ? trailing("zstd") : damaged("zstd", new Error(reason));
  }
}

function point(buffer: Buffer, address: bigint, size: number): void {
  buffer.writeBigUInt64LE(address, 0);
  buffer.writeBigUInt64LE(BigInt(size), SIZE_AT);
  buffer.writeBigUInt64LE(0n, POSITION_AT);
}
