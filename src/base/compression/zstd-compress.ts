import type { Zstd } from "@hpcc-js/wasm-zstd";

/** The default of the zstd tool and of Nix. */
const LEVEL = 3;

const PIECE_BYTES = 128 * 1024;

/** The library is one compressor for the whole process: streams take turns. */
let lastTurn: Promise<void> = Promise.resolve();

/** One frame, whose size its header does not tell. */
export async function* compressZstd(source: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  let done = (): void => {};
  const before = lastTurn;
  lastTurn = new Promise((resolve) => {
    done = resolve;
  });
  await before;
  try {
    const zstd = await load();
    zstd.reset();
    zstd.setCompressionLevel(LEVEL);
    for await (const chunk of source) {
      for (let at = 0; at < chunk.length; at += PIECE_BYTES) {
        const output = zstd.compressChunk(chunk.subarray(at, at + PIECE_BYTES));
        if (output.length > 0) yield output;
      }
    }
    yield zstd.compressEnd();
  } finally {
    done();
  }
}

async function load(): Promise<Zstd> {
  const { Zstd } = await import("@hpcc-js/wasm-zstd");
  return await Zstd.load();
}
