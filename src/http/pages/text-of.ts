import { decodeUtf8, quoteBytes } from "../../base/bytes.js";

/** What moves to another line, turns the direction of what follows, or cannot be seen at an edge. */
const MISLEADING = /[\p{Cc}\p{Zl}\p{Zp}\p{Bidi_Control}]|^\s|\s$/u;

/** A name or target as people can read it: quoted when it is not UTF-8, or would not look like what it is. */
export function textOf(bytes: Uint8Array): string {
  const text = decodeUtf8(bytes);
  return text === undefined || MISLEADING.test(text) ? quoteBytes(bytes) : text;
}
