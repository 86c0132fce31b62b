/**
 * Addresses of binary caches:
 *
 *   address := [ "nix+" ] ( "http://" | "https://" ) host [ ":" port ] [ path ] [ query ]
 *            | [ "nix+" ] "file:///" folder [ query ]
 *   query   := "?" key "=" value { "&" key "=" value }
 *
 * The form without `nix+` is what users of Nix know; `--substituter` takes both.
 */
import { isStoreError, StoreError } from "../base/errors.js";
import { PublicKey } from "../store/signature/public-key.js";

export const NIX_SCHEMES = {
  "nix+http:": "nix+http://host/path",
  "nix+https:": "nix+https://host/path",
  "nix+file:": "nix+file:///folder",
} as const;

const QUERY_KEYS = ["trusted-public-keys", "priority", "allow-foreign-urls"] as const;

const PRIORITY_MAX = 1_000_000;

export interface CacheAddress {
  /** As it was given, without its query. */
  readonly text: string;
  readonly place:
    | { readonly type: "http"; readonly base: URL }
    | { readonly type: "folder"; readonly folder: string };
  /** Whom this cache may be believed because of. */
  readonly trustedPublicKeys: readonly PublicKey[];
  /** Lower is asked first; what the cache says itself, unless given. */
  readonly priority: number | undefined;
  /** Whether its NARs may be elsewhere. */
  readonly foreignUrls: boolean;
}

/** @throws {StoreError} `invalid-argument`, saying what is allowed instead. */
export function parseCacheAddress(text: string): CacheAddress {
  let url: URL;
  try {
    url = new URL(text.replace(/^nix\+/, ""));
  } catch {
    throw wrong(text, "it is not a URL; use https://host/path, http://host/path or file:///folder");
  }
  if (url.username !== "" || url.password !== "") {
    throw wrong(text, "names and passwords belong in a file, see --netrc-file");
  }
  if (url.hash !== "") throw wrong(text, "nothing may follow a #");
  const query = queryOf(text, url);
  return {
    text: text.replace(/\?.*$/s, ""),
    place: placeOf(text, url),
    trustedPublicKeys: keysOf(text, query.get("trusted-public-keys")),
    priority: priorityOf(text, query.get("priority")),
    foreignUrls: flagOf(text, query.get("allow-foreign-urls")),
  };
}

function placeOf(text: string, url: URL): CacheAddress["place"] {
  switch (url.protocol) {
    case "http:":
    case "https:":
      return { type: "http", base: new URL(url.origin + url.pathname) };
    case "file:": {
      if (url.host !== "") throw wrong(text, "no host is allowed (three slashes: file:///folder)");
      if (url.pathname === "/") throw wrong(text, "it must name a folder: file:///folder");
      return { type: "folder", folder: pathOf(text, url) };
    }
    default:
      throw wrong(
        text,
        "unknown scheme; known are http, https and file, each with or without nix+",
      );
  }
}

function pathOf(text: string, url: URL): string {
  try {
    const path = decodeURIComponent(url.pathname);
    if (!path.includes("\0")) return path;
  } catch {
    // A percent sign without two digits, or bytes that are no text.
  }
  throw wrong(text, "its folder is no text; write a percent sign as %25");
}

function queryOf(text: string, url: URL): ReadonlyMap<string, string> {
  const query = new Map<string, string>();
  // Not URLSearchParams: to these a plus sign is a blank, and base64 is full of them.
  for (const part of url.search.slice(1).split("&")) {
    if (part === "") continue;
    const equals = part.indexOf("=");
    const key = equals < 0 ? part : part.slice(0, equals);
    if (!QUERY_KEYS.some((known) => known === key)) {
      const known = QUERY_KEYS.join(", ");
      throw wrong(text, `unknown query key ${JSON.stringify(key)}; known are ${known}`);
    }
    if (query.has(key)) throw wrong(text, `the query has ${key} twice`);
    query.set(key, decoded(text, key, equals < 0 ? "" : part.slice(equals + 1)));
  }
  return query;
}

function decoded(text: string, key: string, value: string): string {
  try {
    return decodeURIComponent(value);
  } catch {
    throw wrong(text, `the value of ${key} is no text; write a percent sign as %25`);
  }
}

function keysOf(text: string, value: string | undefined): PublicKey[] {
  const words = (value ?? "").split(" ").filter((word) => word !== "");
  try {
    return words.map((word) => PublicKey.parse(word));
  } catch (error) {
    throw isStoreError(error) ? wrong(text, `trusted-public-keys: ${error.message}`) : error;
  }
}

function priorityOf(text: string, value: string | undefined): number | undefined {
  if (value === undefined) return undefined;
  const priority = /^\d{1,7}$/.test(value) ? Number(value) : Number.NaN;
  if (priority <= PRIORITY_MAX) return priority;
  throw wrong(text, `the priority must be a number from 0 to ${PRIORITY_MAX}`);
}

function flagOf(text: string, value: string | undefined): boolean {
  if (value === undefined || value === "false") return false;
  if (value === "true") return true;
  throw wrong(text, "allow-foreign-urls must be true or false");
}

function wrong(text: string, why: string): StoreError {
  const shown = text.replace(/^([a-z][a-z0-9+.-]*:\/\/)?[^/]*@/i, "$1…@").replace(/\?.*$/s, "?…");
  return new StoreError("invalid-argument", `Invalid address ${JSON.stringify(shown)}: ${why}`);
}
