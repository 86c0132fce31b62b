/**
 * Store paths as people type them, with an optional way below:
 *
 *   reference := ( "/nix/store/" hash "-" name | hash "-" name | hash ) { "/" component } [ "/" ]
 *
 * Repeated slashes count as one, as the kernel has it; `.` and `..` are refused.
 */
import { quoteBytes } from "../base/bytes.js";
import { StoreError } from "../base/errors.js";
import { validateName } from "../castore/path-component.js";
import { decodeNixBase32 } from "./nixbase32.js";
import { HASH_TEXT_LENGTH, STORE_DIR, StorePath } from "./store-path.js";

export interface StorePathReference {
  /** 20 bytes. */
  readonly hash: Uint8Array;
  /** Absent when only the hash was given. */
  readonly name?: string;
  /** The way from the store path down, outermost first; empty for the store path itself. */
  readonly components: readonly Uint8Array[];
}

/**
 * Reads any of the three forms.
 *
 * @throws {StoreError} `invalid-argument`, quoting what is wrong.
 */
export function parseStorePathReference(text: string): StorePathReference {
  const { first, absolute, components } = split(text);
  if (first.length === HASH_TEXT_LENGTH && !absolute) {
    return { hash: decodeNixBase32(first, StorePath.HASH_BYTES), components };
  }
  const { hash, name } = StorePath.parse(first);
  return { hash, name, components };
}

function split(text: string): {
  first: string;
  absolute: boolean;
  components: readonly Uint8Array[];
} {
  const absolute = text.startsWith("/");
  if (absolute && !`${text}/`.startsWith(`${STORE_DIR}/`)) {
    throw invalid(text, `it is not in ${STORE_DIR}`);
  }
  const [first, ...rest] = text
    .slice(absolute ? STORE_DIR.length : 0)
    .split("/")
    .filter((part) => part !== "");
  if (first === undefined) throw invalid(text, "it names nothing in the store");
  const components = rest.map((part) => Buffer.from(part));
  components.forEach(validateName);
  return { first, absolute, components };
}

function invalid(text: string, why: string): StoreError {
  return new StoreError(
    "invalid-argument",
    `Invalid store path ${quoteBytes(Buffer.from(text))}: ${why}`,
  );
}
