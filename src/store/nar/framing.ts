/**
 * How a NAR frames everything it contains, keywords and contents alike:
 *
 *   string := length (u64, little-endian) bytes padding      padding: zeros up to a multiple of 8
 */

/** Zero bytes that follow `length` bytes. */
export function paddingBytes(length: bigint): number {
  return Number(-length & 7n);
}

/** `keywords` framed, one after the other. */
export function frame(...keywords: string[]): Buffer {
  return Buffer.concat(
    keywords.map((keyword) => {
      const length = Buffer.alloc(8);
      length.writeUInt32LE(keyword.length);
      return Buffer.concat([length, Buffer.from(keyword)], 8 + Math.ceil(keyword.length / 8) * 8);
    }),
  );
}
