/**
 * One entry of a directory as a row of numbers: where its parts lie in the encoded bytes. Rows are what a
 * decoded directory keeps instead of objects.
 */
import { B3Digest } from "./digest.js";
import type { Node } from "./node.js";

/** The columns of a row, all unsigned 32-bit. */
export const ROW = {
  nameStart: 0,
  nameEnd: 1,
  /** The digest of a directory or file, the target of a symlink. */
  dataStart: 2,
  dataEnd: 3,
  /** One of {@link ENTRY_TYPE}. */
  type: 4,
  sizeLow: 5,
  sizeHigh: 6,
  columns: 7,
} as const;

export const ENTRY_TYPE = { directory: 1, file: 2, executable: 3, symlink: 4 } as const;

/** The node described by the row that starts at `base` in `rows`; digest and target lie on `bytes`. */
export function nodeAt(bytes: Uint8Array, rows: Uint32Array, base: number): Node {
  const data = bytes.subarray(rows[base + ROW.dataStart], rows[base + ROW.dataEnd]);
  const type = rows[base + ROW.type];
  if (type === ENTRY_TYPE.symlink) return { type: "symlink", target: data };
  const digest = B3Digest.from(data);
  const high = rows[base + ROW.sizeHigh] as number;
  const size = (BigInt(high) << 32n) | BigInt(rows[base + ROW.sizeLow] as number);
  if (type === ENTRY_TYPE.directory) return { type: "directory", digest, size };
  return { type: "file", digest, size, executable: type === ENTRY_TYPE.executable };
}
