/**
 * Byte strings: order, equality and text forms. File names, symlink targets and digests are bytes
 * everywhere in tvix-store; they become text only in messages and listings.
 */

/** Byte order, as Nix sorts names: negative when `a` comes first, 0 when equal. */
export function compareBytes(a: Uint8Array, b: Uint8Array): number {
  return Buffer.compare(a, b);
}

export function equalBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && Buffer.compare(a, b) === 0;
}

/** A copy. (`slice` is none: on a `Buffer` it gives a view.) */
export function copyBytes(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes);
}

/** A `Buffer` on the same memory, for its methods; no copy. */
export function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

export function toHex(bytes: Uint8Array): string {
  return asBuffer(bytes).toString("hex");
}

/** Standard base64, padded. */
export function toBase64(bytes: Uint8Array): string {
  return asBuffer(bytes).toString("base64");
}

/**
 * The bytes behind standard base64, whose padding may be missing; `undefined` when `text` is not what
 * encoding them gives. Node itself passes over what it does not know.
 */
export function decodeBase64(text: string): Buffer | undefined {
  const bytes = Buffer.from(text, "base64");
  const encoded = bytes.toString("base64");
  return text === encoded || text === encoded.replace(/=+$/, "") ? bytes : undefined;
}

/** The text of `bytes`, or `undefined` when they are not UTF-8. */
export function decodeUtf8(bytes: Uint8Array): string | undefined {
  try {
    return strictUtf8.decode(bytes);
  } catch {
    return undefined;
  }
}

const strictUtf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/**
 * `bytes` in double quotes for a message. Control characters, also those of the direction of writing, and bytes
 * that are not UTF-8 are shown as `\xNN`, so two different names never print alike and none can forge a log line.
 */
export function quoteBytes(bytes: Uint8Array): string {
  const text = decodeUtf8(bytes);
  const escaped =
    text === undefined
      ? Array.from(bytes, (byte) =>
          byte < 0x20 || byte > 0x7e || byte === 0x22 || byte === 0x5c
            ? hexEscape(byte)
            : String.fromCharCode(byte),
        ).join("")
      : text.replace(/["\\\p{Cc}\p{Zl}\p{Zp}\p{Bidi_Control}]/gu, (character) =>
          Array.from(Buffer.from(character), hexEscape).join(""),
        );
  return `"${escaped}"`;
}

function hexEscape(byte: number): string {
  return `\\x${byte.toString(16).padStart(2, "0")}`;
}
