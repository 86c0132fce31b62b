/**
 * Compression on the way, as clients ask for it with Accept-Encoding.
 */
export type Encoding = "zstd" | "br" | "gzip";

/** The one that costs least for what it saves first; clients that like several equally get it. */
const ENCODINGS: readonly Encoding[] = ["zstd", "br", "gzip"];

/** Which of the encodings for which `isFree` holds `Accept-Encoding: header` likes best; `undefined` for none. */
export function chooseEncoding(
  header: string | undefined,
  isFree: (encoding: Encoding) => boolean = () => true,
): Encoding | undefined {
  if (header === undefined) return undefined;
  const weights = new Map<string, number>();
  for (const part of header.toLowerCase().split(",", 32)) {
    const [, name, weight] = /^\s*([^\s;]+)\s*(?:;\s*q=([\d.]+)\s*)?$/.exec(part) ?? [];
    if (name !== undefined) weights.set(name, weight === undefined ? 1 : Number(weight));
  }
  const weightOf = (name: string) => weights.get(name) ?? weights.get("*") ?? 0;
  let best: Encoding | undefined;
  for (const encoding of ENCODINGS.filter(isFree)) {
    const weight = weightOf(encoding);
    if (weight > 0 && weight > (best === undefined ? 0 : weightOf(best))) best = encoding;
  }
  return best;
}
