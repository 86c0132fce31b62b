/**
 * How a NAR frames everything it contains, keywords and contents alike:
 *
 *   string := length (u64, little-endian) bytes padding      padding: zeros up to a multiple of 8
 *
 * and the keywords that always come together.
 */

/** Bytes in front of a string that say how long it is. */
export const LENGTH_BYTES = 8;

/** Zero bytes that follow `length` bytes. */
export function paddingBytes(length: bigint): number {
  return Number(-length & 7n);
}

/** How many bytes `length` bytes take as a string of a NAR. Exact below 2^53. */
export function framedBytes(length: number): number {
  return LENGTH_BYTES + Math.ceil(length / 8) * 8;
}

/** `keywords` framed, one after the other. */
export function frame(...keywords: string[]): Buffer {
  return Buffer.concat(keywords.map((keyword) => frameString(Buffer.from(keyword))));
}

/** One string with its length and padding. */
export function frameString(bytes: Uint8Array): Buffer {
  const framed = Buffer.alloc(framedBytes(bytes.length));
  framed.writeUInt32LE(bytes.length);
  framed.set(bytes, LENGTH_BYTES);
  return framed;
}

/** A string that says how long the contents are which follow it. */
export function frameLength(length: bigint): Buffer {
  const framed = Buffer.alloc(LENGTH_BYTES);
  framed.writeBigUInt64LE(length);
  return framed;
}

/** Keywords as they follow each other in every NAR. */
export interface Phrase {
  readonly words: readonly string[];
  readonly bytes: Buffer;
}

function phrase(...words: string[]): Phrase {
  return { words, bytes: frame(...words) };
}

export const MAGIC = phrase("nix-archive-1");
/** Contents follow, their length first. */
export const REGULAR = phrase("(", "type", "regular", "contents");
export const EXECUTABLE = phrase("(", "type", "regular", "executable", "", "contents");
/** The target follows. */
export const SYMLINK = phrase("(", "type", "symlink", "target");
export const DIRECTORY = phrase("(", "type", "directory");
/** A name follows. */
export const ENTRY = phrase("entry", "(", "name");
/** A node follows. */
export const NODE = phrase("node");
/** Ends a node, and ends an entry. */
export const CLOSE = phrase(")");
