/**
 * Addresses of services: `local:///folder`, `memory://`.
 */
import { StoreError } from "../base/errors.js";

export type Address =
  | { readonly scheme: "local"; readonly folder: string }
  | { readonly scheme: "memory" };

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
    throw wrong(text, "it is not a URL; use local:///folder or memory://");
  }
  if (url.protocol !== "local:" && url.protocol !== "memory:") {
    throw wrong(text, "unknown scheme; known are local and memory");
  }
  if (url.search !== "" || url.hash !== "") {
    throw wrong(text, "no query is allowed in this kind of address");
  }
  if (url.host !== "" || url.username !== "") {
    throw wrong(
      text,
      "no host is allowed in this kind of address (three slashes: local:///folder)",
    );
  }
  if (url.protocol === "memory:") {
    if (url.pathname !== "") throw wrong(text, "no path is allowed: memory://");
    return { scheme: "memory" };
  }
  if (url.pathname === "" || url.pathname === "/") {
    throw wrong(text, "it must name a folder: local:///folder");
  }
  return { scheme: "local", folder: decodeFolder(text, url.pathname) };
}

function decodeFolder(text: string, path: string): string {
  let folder: string | undefined;
  try {
    folder = decodeURIComponent(path);
  } catch {
    // A percent sign without two digits, or bytes that are no text.
  }
  if (folder === undefined || folder.includes("\0")) {
    throw wrong(text, "its folder is no text; write a percent sign as %25");
  }
  return folder;
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
