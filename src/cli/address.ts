/**
 * Addresses of services:
 *
 *   address := "local:///" folder | "memory://"
 *            | ( "grpc+http://" host [ ":" port ] | "grpc+https://" host [ ":" port ] | "grpc+unix:///" path )
 *              [ "?" key "=" file { "&" key "=" file } ]
 *            | binary caches, see cache-address.ts
 *
 * What a server is to be shown is in files, each named by a key: addresses end up in process lists and logs.
 */
import { StoreError } from "../base/errors.js";
import { type CacheAddress, NIX_SCHEMES, parseCacheAddress } from "./cache-address.js";

export type Address = LocalAddress | { readonly scheme: "memory" } | GrpcAddress | NixAddress;

/** Path infos that are fetched from a binary cache into the other services, and kept in the local store. */
export interface NixAddress {
  readonly scheme: "nix";
  readonly cache: CacheAddress;
}

export interface LocalAddress {
  readonly scheme: "local";
  readonly folder: string;
}

export interface GrpcAddress {
  readonly scheme: "grpc";
  /** As it was given, without the files. */
  readonly text: string;
  /** What grpc-js connects to. */
  readonly target: string;
  readonly tls: boolean;
  readonly files: IdentityFiles;
}

/** Files that say who we are and whom we believe, by their keys in an address. */
export type IdentityFiles = { readonly [key in FileKey]?: string };

type FileKey = "token-file" | "ca-file" | "cert-file" | "key-file";

const TLS_KEYS: readonly FileKey[] = ["token-file", "ca-file", "cert-file", "key-file"];
const PLAIN_KEYS: readonly FileKey[] = ["token-file"];

/** Whether what is there has to be fetched to be on this machine. */
export function isRemote(address: Address): address is GrpcAddress {
  return address.scheme === "grpc";
}

const SCHEMES = {
  "local:": "local:///folder",
  "memory:": "memory://",
  "grpc+http:": "grpc+http://host:port",
  "grpc+https:": "grpc+https://host:port",
  "grpc+unix:": "grpc+unix:///path",
  ...NIX_SCHEMES,
} as const;

type Scheme = keyof typeof SCHEMES;

/**
 * Reads an address.
 *
 * @throws {StoreError} `invalid-argument`, saying what is allowed instead.
 */
export function parseAddress(text: string): Address {
  let url: URL;
  try {
    url = new URL(text);
  } catch {
    throw wrong(text, `it is not a URL; use ${listOf(Object.values(SCHEMES), "or")}`);
  }
  if (!isScheme(url.protocol)) {
    const known = Object.keys(SCHEMES).map((scheme) => scheme.slice(0, -1));
    throw wrong(text, `unknown scheme; known are ${listOf(known, "and")}`);
  }
  const form = SCHEMES[url.protocol];
  switch (url.protocol) {
    case "nix+http:":
    case "nix+https:":
    case "nix+file:":
      return { scheme: "nix", cache: parseCacheAddress(text) };
  }
  const isGrpc = url.protocol.startsWith("grpc+");
  if ((url.search !== "" && !isGrpc) || url.hash !== "") {
    throw wrong(text, `no query is allowed in this kind of address: ${form}`);
  }
  if (url.username !== "" || url.password !== "") {
    throw wrong(text, `no user is allowed in this kind of address: ${form}`);
  }
  switch (url.protocol) {
    case "local:":
      return { scheme: "local", folder: pathOf(text, url, form) };
    case "memory:":
      if (url.host !== "") throw wrong(text, `no host is allowed: ${form}`);
      if (url.pathname !== "") throw wrong(text, `no path is allowed: ${form}`);
      return { scheme: "memory" };
    case "grpc+unix:":
      return grpc(text, url, { target: `unix:${pathOf(text, url, form)}`, tls: false });
    case "grpc+http:":
      return grpc(text, url, { target: targetOf(text, url, form, HTTP_PORT), tls: false });
    case "grpc+https:":
      return grpc(text, url, { target: targetOf(text, url, form, HTTPS_PORT), tls: true });
  }
}

const HTTP_PORT = "80";
const HTTPS_PORT = "443";

function isScheme(protocol: string): protocol is Scheme {
  return Object.hasOwn(SCHEMES, protocol);
}

/** The path of an address that has one, and no host. */
function pathOf(text: string, url: URL, form: string): string {
  if (url.host !== "") {
    throw wrong(text, `no host is allowed in this kind of address (three slashes: ${form})`);
  }
  const what = form.slice(form.lastIndexOf("/") + 1);
  if (url.pathname === "" || url.pathname === "/") {
    throw wrong(text, `it must name a ${what}: ${form}`);
  }
  const path = decode(url.pathname);
  if (path === undefined) throw wrong(text, `its ${what} is no text; write a percent sign as %25`);
  return path;
}

/** The host and port of an address that has them, and no path. */
function targetOf(text: string, url: URL, form: string, port: string): string {
  if (url.hostname === "") throw wrong(text, `it must name a host: ${form}`);
  if (url.pathname !== "") throw wrong(text, `no path is allowed in this kind of address: ${form}`);
  return `dns:${url.hostname}:${url.port || port}`;
}

function grpc(
  text: string,
  url: URL,
  where: { readonly target: string; readonly tls: boolean },
): GrpcAddress {
  const files = filesOf(text, url, where.tls ? TLS_KEYS : PLAIN_KEYS);
  if (
    url.protocol === "grpc+http:" &&
    files["token-file"] !== undefined &&
    !isLoopback(url.hostname)
  ) {
    throw wrong(text, "a token is sent unencrypted to this machine only; use grpc+https");
  }
  if ((files["cert-file"] === undefined) !== (files["key-file"] === undefined)) {
    throw wrong(text, "cert-file and key-file go together");
  }
  const [plain = ""] = text.split("?");
  return { scheme: "grpc", text: plain, ...where, files };
}

function filesOf(text: string, url: URL, keys: readonly FileKey[]): IdentityFiles {
  const files: { [key in FileKey]?: string } = {};
  for (const part of url.search.slice(1).split("&").filter(Boolean)) {
    const [name = "", ...value] = part.split("=");
    const key = keys.find((each) => each === name);
    if (key === undefined) {
      throw wrong(text, `unknown query key; allowed here: ${keys.join(", ")}`);
    }
    if (files[key] !== undefined) throw wrong(text, `${key} is given twice`);
    const file = decode(value.join("="));
    if (file === undefined || file === "") throw wrong(text, `${key} must name a file`);
    files[key] = file;
  }
  return files;
}

function isLoopback(hostname: string): boolean {
  return /^(localhost|127(\.\d+){3}|\[::1\])$/.test(hostname);
}

/** `undefined` for what is no text. */
function decode(escaped: string): string | undefined {
  try {
    const text = decodeURIComponent(escaped);
    return text.includes("\0") ? undefined : text;
  } catch {
    // A percent sign without two digits, or bytes that are no text.
    return undefined;
  }
}

function listOf(items: readonly string[], last: string): string {
  return `${items.slice(0, -1).join(", ")} ${last} ${items.at(-1)}`;
}

function wrong(text: string, why: string): StoreError {
  return new StoreError(
    "invalid-argument",
    `Invalid address ${JSON.stringify(redact(text))}: ${why}`,
  );
}

/** The address without what may be secret in it. */
export function redact(text: string): string {
  return text.replace(/^([a-z][a-z0-9+.-]*:\/\/)?[^/]*@/i, "$1…@").replace(/\?.*$/s, "?…");
}
