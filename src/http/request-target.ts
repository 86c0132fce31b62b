/**
 * What a request asks for: the target of its first line, taken apart.
 *
 *   target := [ "http://" host ] { "/" segment } [ "?" query ]
 *
 * Repeated slashes count as one: clients that put `URL: /nar/x` behind a base ask for `//nar/x`. Segments are
 * bytes with percent escapes; a segment that is a file name in a store need not be UTF-8.
 */
import { asBuffer, decodeUtf8 } from "../base/bytes.js";
import { StoreError } from "../base/errors.js";

export interface RequestTarget {
  /** The segments as bytes, escapes undone. None of them is empty, `.` or `..`, or has a slash or NUL. */
  readonly segments: readonly Buffer[];
  /** The segments as text; what is not UTF-8 has U+FFFD in it and so equals no name of ours. */
  readonly names: readonly string[];
  readonly query: URLSearchParams;
  readonly endsInSlash: boolean;
}

const TARGET_LENGTH_MAX = 8192;
const SLASH = 0x2f;
const SPECIAL = new Set([".", ".."]);
/** A segment that is its own name. */
const PLAIN = /^[A-Za-z0-9_-][A-Za-z0-9._-]*$/;

/** @throws {StoreError} `invalid-argument` for a target that is malformed or leads elsewhere. */
export function parseRequestTarget(target: string): RequestTarget {
  if (target.length > TARGET_LENGTH_MAX) throw invalid("it is too long");
  const origin = target.startsWith("/") ? target : target.replace(/^https?:\/\/[^/?]*/i, "");
  const mark = origin.indexOf("?");
  const path = mark < 0 ? origin : origin.slice(0, mark);
  const parts = path.split("/").filter((part) => part !== "");
  const names = parts.map((part) => (PLAIN.test(part) ? part : nameOf(decodeSegment(part))));
  return {
    names,
    get segments() {
      return parts.map(decodeSegment);
    },
    get query() {
      return new URLSearchParams(mark < 0 ? "" : origin.slice(mark + 1));
    },
    endsInSlash: path.endsWith("/"),
  };
}

function nameOf(segment: Buffer): string {
  return decodeUtf8(segment) ?? segment.toString();
}

/** A file name or other bytes as one segment of a URL. */
export function encodeSegment(bytes: Uint8Array): string {
  return asBuffer(bytes)
    .toString("latin1")
    .replaceAll(
      /[^A-Za-z0-9\-._~+=!,:@]/g,
      (character) => `%${character.charCodeAt(0).toString(16).toUpperCase().padStart(2, "0")}`,
    );
}

function decodeSegment(text: string): Buffer {
  if (/%(?![0-9A-Fa-f]{2})/.test(text)) throw invalid("a percent sign is no escape");
  const latin1 = Buffer.from(text)
    .toString("latin1")
    .replaceAll(/%(..)/g, (_, digits: string) => String.fromCharCode(Number.parseInt(digits, 16)));
  const segment = Buffer.from(latin1, "latin1");
  if (segment.includes(SLASH) || segment.includes(0)) throw invalid("a name has a slash or NUL");
  if (SPECIAL.has(segment.toString("latin1"))) throw invalid("it has . or .. in it");
  return segment;
}

function invalid(why: string): StoreError {
  return new StoreError("invalid-argument", `Invalid request target: ${why}`);
}
