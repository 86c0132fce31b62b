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
  if (url.search !== "" || url.hash !== "") {
    throw wrong(text, "no query is allowed in this kind of address");
  }
  if (url.host !== "" || url.username !== "") {
    throw wrong(
      text,
      "no host is allowed in this kind of address (three slashes: local:///folder)",
    );
  }
  switch (url.protocol) {
    case "local:":
      if (url.pathname === "" || url.pathname === "/") {
        throw wrong(text, "it must name a folder: local:///folder");
      }
      return { scheme: "local", folder: decodeURIComponent(url.pathname) };
    case "memory:":
      if (url.pathname !== "") throw wrong(text, "no path is allowed: memory://");
      return { scheme: "memory" };
    default:
      throw wrong(text, "unknown scheme; known are local and memory");
  }
}

function wrong(text: string, why: string): StoreError {
  return new StoreError(
    "invalid-argument",
    `Invalid address ${JSON.stringify(redact(text))}: ${why}`,
  );
}

/** The address without what may be secret in it. */
export function redact(text: string): string {
  return text.replace(/\/\/[^/@]*@/, "//…@").replace(/\?.*$/s, "?…");
}
