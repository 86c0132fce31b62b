/**
 * Parts of files over HTTP: how they are asked for, and what an answer turns out to be.
 */
import type { Compression } from "../../base/compression/compression.js";
import { StoreError } from "../../base/errors.js";
import type { HttpAnswer } from "./http-client.js";
import { statusError, withoutSecrets } from "./http-failure.js";

/** A file that can be had from any byte on. */
export interface RangedFile {
  readonly length: number;
  readonly etag: string | undefined;
}

/** Asks for the bytes from `offset` to `end`, or to the end of the file; for nothing when that is all. */
export function rangeOf(offset: number, end?: number): Readonly<Record<string, string>> {
  if (end !== undefined) return { Range: `bytes=${offset}-${end - 1}` };
  return offset === 0 ? {} : { Range: `bytes=${offset}-` };
}

/** The file that `answer` is all of, when it can be had in parts, too. */
export function wholeOf(answer: HttpAnswer): RangedFile | undefined {
  const { "content-length": length = "", "accept-ranges": ranges, etag } = answer.headers;
  if (!/^\d+$/.test(length) || ranges !== "bytes") return undefined;
  return encodingOf(answer) === "none" ? { length: Number(length), etag } : undefined;
}

/** The file that `answer` is exactly that part of, which ends at `end` or with the file. */
export function contentRange(
  answer: HttpAnswer,
  offset: number,
  end = Number.POSITIVE_INFINITY,
): RangedFile | undefined {
  const { "content-range": range = "", etag } = answer.headers;
  const [, start, last, length] = /^bytes (\d+)-(\d+)\/(\d+)$/.exec(range) ?? [];
  const isThat = Number(start) === offset && Number(last) === Math.min(end, Number(length)) - 1;
  const isPlain = encodingOf(answer) === "none";
  return answer.status === 206 && isThat && isPlain ? { length: Number(length), etag } : undefined;
}

/**
 * The file that `answer` is the part of from `offset` to `end`, or to its own.
 *
 * @throws {StoreError} `unsupported` when it is another part.
 */
export function partOf(answer: HttpAnswer, offset: number, end: number): RangedFile {
  const file = contentRange(answer, offset, end);
  if (file !== undefined) return file;
  const { status, headers, url } = answer;
  answer.discard();
  if (![200, 206, 416].includes(status)) throw statusError(url, status, headers);
  throw new StoreError("unsupported", `${withoutSecrets(url)} can be had as a whole only`);
}

const ENCODINGS: Readonly<Record<string, Compression>> = {
  identity: "none",
  gzip: "gzip",
  "x-gzip": "gzip",
  br: "br",
  zstd: "zstd",
};

/** How the body is sent. Object stores keep some narinfos compressed and send them so, whoever asks. */
export function encodingOf({ headers }: HttpAnswer): Compression | undefined {
  return ENCODINGS[(headers["content-encoding"] ?? "identity").toLowerCase()];
}
