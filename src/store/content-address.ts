/**
 * Content addresses: how a store path follows from what it holds.
 *
 *   text := "text:sha256:" digest | "fixed:r:" algorithm ":" digest | "fixed:" algorithm ":" digest
 *
 * with digests in nixbase32 (read also in hex and base64). The store path is a hash too: SHA-256 over
 *
 *   fingerprint := type ":sha256:" hex(inner digest) ":/nix/store:" name
 *
 * folded to 20 bytes. Type and inner digest depend on the method:
 *
 *   text           "text" { ":" reference }                     the digest
 *   nar, sha256    "source" { ":" reference } [ ":self" ]       the digest
 *   nar or flat    "output:out"            SHA-256 over "fixed:out:" [ "r:" ] algorithm ":" hex(digest) ":"
 *
 * with references as absolute store paths in byte order. The last kind can have none.
 */
import { createHash } from "node:crypto";
import { quoteBytes, toHex } from "../base/bytes.js";
import { isStoreError, StoreError } from "../base/errors.js";
import {
  DIGEST_BYTES,
  formatHash,
  type HashAlgorithm,
  isHashAlgorithm,
  parseDigest,
} from "./nix-hash.js";
import { STORE_DIR, StorePath } from "./store-path.js";

export type ContentAddress =
  | {
      /** `nar` hashes the NAR of the node, `flat` the bytes of a single file. */
      readonly method: "nar" | "flat";
      readonly algorithm: HashAlgorithm;
      readonly digest: Uint8Array;
    }
  /** The bytes of a single file, which may name other store paths. */
  | { readonly method: "text"; readonly algorithm: "sha256"; readonly digest: Uint8Array };

const PREFIX = { nar: "fixed:r", flat: "fixed", text: "text" } as const;

/** The text form, as in the `CA` line of a narinfo: `fixed:r:sha256:<nixbase32>`. */
export function formatContentAddress(ca: ContentAddress): string {
  return `${PREFIX[ca.method]}:${formatHash(ca)}`;
}

/**
 * Reads the text form.
 *
 * @throws {StoreError} `invalid-argument`, quoting it and saying what is wrong with it.
 */
export function parseContentAddress(text: string): ContentAddress {
  const [, prefix, algorithm = "", digestText = ""] =
    /^(fixed:r|fixed|text):([^:]*):(.*)$/s.exec(text) ?? [];
  try {
    if (prefix === undefined) {
      throw malformed(
        "it is not text:HASH, fixed:HASH or fixed:r:HASH with HASH as algorithm:digest",
      );
    }
    if (!isHashAlgorithm(algorithm)) {
      throw malformed(`unknown algorithm ${quoteBytes(Buffer.from(algorithm))}`);
    }
    const digest = parseDigest(algorithm, digestText);
    if (prefix !== "text")
      return { method: prefix === "fixed" ? "flat" : "nar", algorithm, digest };
    if (algorithm === "sha256") return { method: "text", algorithm, digest };
    throw malformed(`texts are addressed by sha256, not by ${algorithm}`);
  } catch (error) {
    if (!isStoreError(error)) throw error;
    const quoted = quoteBytes(Buffer.from(text.slice(0, 256)));
    throw malformed(`Invalid content address ${quoted}: ${error.message}`);
  }
}

/** @throws {StoreError} `invalid-argument` when the digest is not as long as its algorithm says. */
export function validateContentAddress(ca: ContentAddress): void {
  const expected = DIGEST_BYTES[ca.algorithm];
  if (ca.digest.length !== expected) {
    throw new StoreError(
      "invalid-argument",
      `Invalid ${PREFIX[ca.method]}:${ca.algorithm} digest: ${ca.digest.length} bytes, expected ${expected}`,
    );
  }
}

/**
 * The store path of content with this address, called `name`, that refers to `references`. Does it refer
 * to itself, `selfReference` says so: its own path is not among them.
 *
 * @throws {StoreError} `invalid-argument` when `name` is not valid in a store path, or when there are
 *   references where there can be none.
 */
export function contentAddressedPath(
  ca: ContentAddress,
  name: string,
  references: readonly StorePath[],
  selfReference = false,
): StorePath {
  const { method, algorithm, digest } = ca;
  const suffix = references
    .map((reference) => `:${reference}`)
    .sort()
    .join("");
  if (method === "text" && !selfReference) return makeStorePath(`text${suffix}`, digest, name);
  if (method === "nar" && algorithm === "sha256") {
    return makeStorePath(`source${suffix}${selfReference ? ":self" : ""}`, digest, name);
  }
  if (references.length > 0 || selfReference) {
    throw new StoreError(
      "invalid-argument",
      `Content addressed as ${PREFIX[method]}:${algorithm} cannot refer to ` +
        (selfReference ? "itself" : "store paths"),
    );
  }
  const prefix = method === "nar" ? "fixed:out:r" : "fixed:out";
  const inner = `${prefix}:${algorithm}:${toHex(digest)}:`;
  return makeStorePath("output:out", createHash("sha256").update(inner).digest(), name);
}

/** `inner` is always a SHA-256, whatever the algorithm of the content address. */
function makeStorePath(type: string, inner: Uint8Array, name: string): StorePath {
  const fingerprint = `${type}:sha256:${toHex(inner)}:${STORE_DIR}:${name}`;
  const digest = createHash("sha256").update(fingerprint).digest();
  const hash = Buffer.alloc(StorePath.HASH_BYTES);
  for (const [index, byte] of digest.entries()) {
    const slot = index % hash.length;
    hash[slot] = (hash[slot] as number) ^ byte;
  }
  return StorePath.from(hash, name);
}

function malformed(message: string): StoreError {
  return new StoreError("invalid-argument", message);
}
