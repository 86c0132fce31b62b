/**
 * Nix's base 32: the text form of hashes in store paths and narinfos.
 *
 *   alphabet  0-9 a-z without e, o, t, u
 *   text      ceil(8 * bytes / 5) characters, most significant first
 *
 * The bytes are one little-endian number; character k of n holds its bits 5 * (n - 1 - k) and up. The bits
 * of the first character beyond the last byte are zero, so every byte string has exactly one text.
 */
import { quoteBytes } from "../base/bytes.js";
import { StoreError } from "../base/errors.js";

const ALPHABET = "0123456789abcdfghijklmnpqrsvwxyz";

export function encodeNixBase32(bytes: Uint8Array): string {
  let text = "";
  for (let position = textLength(bytes.length) - 1; position >= 0; position--) {
    const bit = position * 5;
    const index = bit >>> 3;
    const pair = (bytes[index] as number) | ((bytes[index + 1] ?? 0) << 8);
    text += ALPHABET[(pair >>> (bit & 7)) & 0x1f];
  }
  return text;
}

/**
 * The bytes behind `text`, exactly `lengthBytes` when that is given.
 *
 * @throws {StoreError} `invalid-argument` for a character outside the alphabet, a length that no byte
 *   string encodes to, or bits beyond the last byte.
 */
export function decodeNixBase32(text: string, lengthBytes?: number): Buffer {
  const length = Math.floor((text.length * 5) / 8);
  const wanted = lengthBytes === undefined ? textLength(length) : textLength(lengthBytes);
  if (text.length !== wanted) {
    const expected = lengthBytes === undefined ? "which encodes nothing" : `expected ${wanted}`;
    throw invalid(text, `it has ${text.length} characters, ${expected}`);
  }
  const bytes = Buffer.alloc(length);
  for (let k = 0; k < text.length; k++) {
    const digit = ALPHABET.indexOf(text[k] as string);
    if (digit < 0) {
      const shown = quoteBytes(Buffer.from(text[k] as string));
      throw invalid(text, `character ${k}, ${shown}, is not in the alphabet`);
    }
    const bit = (text.length - 1 - k) * 5;
    const index = bit >>> 3;
    const pair = digit << (bit & 7);
    bytes[index] = (bytes[index] as number) | (pair & 0xff);
    if (index + 1 < length) bytes[index + 1] = (bytes[index + 1] as number) | (pair >>> 8);
    else if (pair >>> 8 !== 0) throw invalid(text, "bits beyond its last byte are set");
  }
  return bytes;
}

/** The value of a character, given as its byte; `undefined` when it is not in the alphabet. */
export function digitOfNixBase32(byte: number): number | undefined {
  const digit = ALPHABET.indexOf(String.fromCharCode(byte));
  return digit < 0 ? undefined : digit;
}

function textLength(lengthBytes: number): number {
  return Math.ceil((lengthBytes * 8) / 5);
}

function invalid(text: string, why: string): StoreError {
  return new StoreError(
    "invalid-argument",
    `Invalid nixbase32 ${quoteBytes(Buffer.from(text.slice(0, 128)))}: ${why}`,
  );
}
