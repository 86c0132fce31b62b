/**
 * Addresses of binary caches that are written:
 *
 *   address := [ "nix+" ] "file:///" folder [ "?" key "=" value { "&" key "=" value } ]
 *   key     := "compression" | "secret-key"
 */
import { WRITABLE_COMPRESSIONS, type WritableCompression } from "../base/compression/compress.js";
import { redact } from "./address.js";
import { UsageError } from "./usage-error.js";

export interface CacheTargetAddress {
  readonly folder: string;
  readonly compression: WritableCompression;
  /** The file with the key that signs. */
  readonly secretKeyFile: string | undefined;
}

/** That of Nix. */
const COMPRESSION_DEFAULT = "xz";

const KEYS = ["compression", "secret-key"];

/** Whether `text` is of a binary cache, with or without `nix+`. */
export function isCacheAddress(text: string): boolean {
  return /^(nix\+)?(file|https?):/i.test(text);
}

/** @throws {UsageError} saying what is allowed instead. */
export function parseCacheTarget(text: string): CacheTargetAddress {
  const [place = "", ...rest] = text.split("?");
  const [, path] = /^(?:nix\+)?file:\/\/(\/.+)$/i.exec(place) ?? [];
  if (path === undefined) {
    throw wrong(text, "binary caches are written as folders: nix+file:///folder");
  }
  const query = new Map<string, string>();
  for (const part of rest
    .join("?")
    .split("&")
    .filter((each) => each !== "")) {
    const [, key = part, value = ""] = /^([^=]*)=(.*)$/s.exec(part) ?? [];
    if (!KEYS.includes(key)) {
      throw wrong(
        text,
        `unknown query key ${JSON.stringify(key)}; known are ${KEYS.join(" and ")}`,
      );
    }
    if (query.has(key)) throw wrong(text, `the query has ${key} twice`);
    query.set(key, decoded(text, value));
  }
  const compression = query.get("compression") ?? COMPRESSION_DEFAULT;
  if (!isWritable(compression)) {
    const known = WRITABLE_COMPRESSIONS.join(", ");
    throw wrong(
      text,
      `cannot write compression ${JSON.stringify(compression)}; known are ${known}`,
    );
  }
  return { folder: decoded(text, path), compression, secretKeyFile: query.get("secret-key") };
}

function isWritable(name: string): name is WritableCompression {
  return WRITABLE_COMPRESSIONS.some((known) => known === name);
}

function decoded(text: string, part: string): string {
  try {
    const value = decodeURIComponent(part);
    if (value !== "" && !value.includes("\0")) return value;
  } catch {
    // A percent sign without two digits, or bytes that are no text.
  }
  throw wrong(text, "a part of it is empty or no text; write a percent sign as %25");
}

function wrong(text: string, why: string): UsageError {
  return new UsageError(`Invalid address ${JSON.stringify(redact(text))}: ${why}`);
}
