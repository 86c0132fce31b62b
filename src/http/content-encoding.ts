/**
 * Compression on the way, as clients ask for it with Accept-Encoding.
 */
import { pipeline } from "node:stream/promises";
import { constants, createBrotliCompress, createGzip } from "node:zlib";

export type Encoding = "br" | "gzip";

/** The best first. */
const ENCODINGS: readonly Encoding[] = ["br", "gzip"];

/** Better ones cost many times the time for a few percent. */
const BROTLI_QUALITY = 4;
const GZIP_LEVEL = 5;
const CHUNK_BYTES = 64 * 1024;

/** Which encoding `Accept-Encoding: header` likes best; `undefined` for none. */
export function chooseEncoding(header: string | undefined): Encoding | undefined {
  const weights = new Map<string, number>();
  for (const part of (header ?? "").toLowerCase().split(",", 32)) {
    const [, name, weight] = /^\s*([^\s;]+)\s*(?:;\s*q=([\d.]+)\s*)?$/.exec(part) ?? [];
    if (name !== undefined) weights.set(name, weight === undefined ? 1 : Number(weight));
  }
  const weightOf = (name: string) => weights.get(name) ?? weights.get("*") ?? 0;
  let best: Encoding | undefined;
  for (const encoding of ENCODINGS) {
    const weight = weightOf(encoding);
    if (weight > 0 && weight > (best === undefined ? 0 : weightOf(best))) best = encoding;
  }
  return best;
}

/** `source`, compressed. Whoever stops reading early lets go of the source. */
export async function* encode(
  source: AsyncIterable<Uint8Array>,
  encoding: Encoding,
): AsyncGenerator<Uint8Array> {
  const encoder =
    encoding === "gzip"
      ? createGzip({ level: GZIP_LEVEL, chunkSize: CHUNK_BYTES })
      : createBrotliCompress({
          params: { [constants.BROTLI_PARAM_QUALITY]: BROTLI_QUALITY },
          chunkSize: CHUNK_BYTES,
        });
  // Its failure is that of the encoder, whose reader hears of it.
  const fed = pipeline(source, encoder).catch(() => {});
  try {
    for await (const piece of encoder) yield piece as Uint8Array;
  } finally {
    encoder.destroy();
    await fed;
  }
}
