/**
 * Reading narinfos, whose form is at the top of narinfo.ts.
 *
 * Restrictions: at most 2 MiB of UTF-8 without control characters; every line ends, the last one too; one
 * blank after the colon; no key but `Sig` twice, and that at most 256 times; `StorePath`, `URL`, `NarHash` and `NarSize` are there, and
 * the size is not 0. Unknown keys are passed over, and so are signatures nobody could verify, as in Nix. No
 * `Compression` means bzip2, no `References` means none; `Deriver: unknown-deriver` is none.
 */
import { decodeUtf8, quoteBytes } from "../../base/bytes.js";
import { isStoreError, StoreError } from "../../base/errors.js";
import { parseContentAddress } from "../content-address.js";
import { parseHash } from "../nix-hash.js";
import type { Signature } from "../path-info.js";
import { readSignature } from "../signature/signature-text.js";
import { StorePath } from "../store-path.js";
import { DERIVATION_SUFFIX, type Narinfo } from "./narinfo.js";

/** Bytes. */
export const NARINFO_SIZE_MAX = 2 * 1024 * 1024;

/** Nobody signs this often, and each may have to be verified. */
const SIGNATURES_MAX = 256;

/** What Nix assumes where nothing is said. */
const COMPRESSION_DEFAULT = "bzip2";
const DERIVER_UNKNOWN = "unknown-deriver";
const U64_MAX = 2n ** 64n - 1n;
const LINE_FEED = 0x0a;
const QUOTED_MAX = 128;

interface Line {
  /** Counted from 1. */
  readonly number: number;
  /** Of its first byte. */
  readonly offset: number;
}

interface Field extends Line {
  readonly value: string;
}

const SINGLE_KEYS = new Set([
  "StorePath",
  "URL",
  "Compression",
  "FileHash",
  "FileSize",
  "NarHash",
  "NarSize",
  "References",
  "Deriver",
  "System",
  "CA",
]);

/**
 * Reads a narinfo. Whom it comes from, and whether the store path is the one that was asked for, is for the
 * caller to check.
 *
 * @throws {StoreError} `invalid-argument`, naming the line, its offset in bytes, the key and the reason;
 *   `limit-exceeded` when it is too large.
 */
export function parseNarinfo(bytes: Uint8Array): Narinfo {
  if (bytes.length > NARINFO_SIZE_MAX) {
    throw new StoreError(
      "limit-exceeded",
      `Invalid narinfo: ${bytes.length} bytes, at most ${NARINFO_SIZE_MAX} are allowed`,
    );
  }
  const { fields, signatures, end } = readLines(bytes);
  const optional = <T>(key: string, read: (value: string) => T): T | undefined => {
    const field = fields.get(key);
    return field === undefined ? undefined : at(field, key, () => read(field.value));
  };
  const required = <T>(key: string, read: (value: string) => T): T => {
    if (!fields.has(key)) throw invalid(end, `it ends without ${key}`);
    return optional(key, read) as T;
  };
  const fileHash = optional("FileHash", parseHash);
  const fileSize = optional("FileSize", parseSize);
  const deriver = optional("Deriver", parseDeriver);
  const system = optional("System", parseWord);
  const ca = optional("CA", parseContentAddress);
  return {
    storePath: required("StorePath", StorePath.parseAbsolute),
    url: required("URL", parseWord),
    compression: optional("Compression", parseWord) ?? COMPRESSION_DEFAULT,
    ...(fileHash && { fileHash }),
    ...(fileSize !== undefined && { fileSize }),
    narSha256: required("NarHash", parseSha256),
    narSize: required("NarSize", parseNarSize),
    references: optional("References", parseReferences) ?? [],
    ...(deriver && { deriver }),
    ...(system !== undefined && { system }),
    signatures,
    ...(ca && { ca }),
  };
}

function readLines(bytes: Uint8Array) {
  const fields = new Map<string, Field>();
  const signatures: Signature[] = [];
  let line: Line = { number: 1, offset: 0 };
  while (line.offset < bytes.length) {
    const end = bytes.indexOf(LINE_FEED, line.offset);
    if (end < 0) throw invalid(line, "the line does not end");
    const { key, value } = splitLine(line, bytes.subarray(line.offset, end));
    if (key === "Sig") {
      const signature = readSignature(value);
      if (signature !== undefined) signatures.push(signature);
      if (signatures.length > SIGNATURES_MAX) {
        throw invalid(line, `more than ${SIGNATURES_MAX} signatures`);
      }
    } else if (SINGLE_KEYS.has(key)) {
      const first = fields.get(key);
      if (first !== undefined) throw invalid(line, `${key} is on line ${first.number} already`);
      fields.set(key, { ...line, value });
    }
    line = { number: line.number + 1, offset: end + 1 };
  }
  return { fields, signatures, end: line };
}

function splitLine(line: Line, bytes: Uint8Array): { key: string; value: string } {
  const text = decodeUtf8(bytes);
  if (text === undefined) throw invalid(line, `${quoted(bytes)} is not UTF-8`);
  if (/\p{Cc}/u.test(text)) throw invalid(line, `${quoted(bytes)} has control characters`);
  const colon = text.indexOf(": ");
  // The first colon counts: a value may have more of them.
  if (colon < 1 || text.indexOf(":") !== colon) {
    throw invalid(line, `${quoted(bytes)} is not a key, a colon, a blank and a value`);
  }
  return { key: text.slice(0, colon), value: text.slice(colon + 2) };
}

function parseWord(value: string): string {
  if (/^\S+$/.test(value)) return value;
  throw malformed(value === "" ? "it is empty" : `${quoteText(value)} has blanks`);
}

function parseSize(value: string): bigint {
  // The length is looked at first: a million digits take long to turn into a number.
  const size = /^\d{1,20}$/.test(value) ? BigInt(value) : undefined;
  if (size === undefined || size > U64_MAX) {
    throw malformed(`${quoteText(value)} is not a number of bytes below 2^64`);
  }
  return size;
}

function parseNarSize(value: string): bigint {
  const size = parseSize(value);
  if (size === 0n) throw malformed("no NAR has 0 bytes");
  return size;
}

function parseSha256(value: string): Uint8Array {
  const { algorithm, digest } = parseHash(value);
  if (algorithm === "sha256") return digest;
  throw malformed(`${quoteText(value)} is not a SHA-256`);
}

function parseReferences(value: string): StorePath[] {
  return value === "" ? [] : value.split(" ").map((basename) => StorePath.parse(basename));
}

function parseDeriver(value: string): StorePath | undefined {
  if (value === DERIVER_UNKNOWN) return undefined;
  const { hash, name } = StorePath.parse(value);
  if (!name.endsWith(DERIVATION_SUFFIX)) {
    throw malformed(`${quoteText(value)} does not end in ${DERIVATION_SUFFIX}`);
  }
  return StorePath.from(hash, name.slice(0, -DERIVATION_SUFFIX.length));
}

/** Runs `read`; its error says where. */
function at<T>(line: Line, key: string, read: () => T): T {
  try {
    return read();
  } catch (error) {
    throw isStoreError(error) ? invalid(line, `${key}: ${error.message}`) : error;
  }
}

function quoted(bytes: Uint8Array): string {
  return quoteBytes(bytes.subarray(0, QUOTED_MAX));
}

function quoteText(text: string): string {
  return quoted(Buffer.from(text.slice(0, QUOTED_MAX)));
}

function invalid(line: Line, why: string): StoreError {
  return malformed(`Invalid narinfo, line ${line.number} (offset ${line.offset}): ${why}`);
}

function malformed(message: string): StoreError {
  return new StoreError("invalid-argument", message);
}
