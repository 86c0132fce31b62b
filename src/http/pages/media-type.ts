import mime from "mime";
import { decodeUtf8 } from "../../base/bytes.js";

/** How much of a file is looked at when its name says nothing. */
export const SAMPLE_BYTES = 1024;

const BINARY = "application/octet-stream";
const TEXT = "text/plain; charset=utf-8";

/** The type of a file called `name`, else of one that begins with `sample`. */
export function mediaType(name: Uint8Array, sample: Uint8Array): string {
  const known = mime.getType(decodeUtf8(name) ?? "");
  if (known !== null && known !== BINARY) {
    return known.startsWith("text/") ? `${known}; charset=utf-8` : known;
  }
  return looksLikeText(sample) ? TEXT : BINARY;
}

/** No control characters but those of text; a character that was cut at the end does no harm. */
export function looksLikeText(sample: Uint8Array): boolean {
  if (sample.some((byte) => byte < 0x20 && byte !== 0x09 && byte !== 0x0a && byte !== 0x0d))
    return false;
  return [0, 1, 2, 3].some(
    (cut) =>
      cut <= sample.length && decodeUtf8(sample.subarray(0, sample.length - cut)) !== undefined,
  );
}
