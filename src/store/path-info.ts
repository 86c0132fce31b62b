/**
 * Path infos: what a store knows about one store path.
 */
import { quoteBytes } from "../base/bytes.js";
import { isStoreError, StoreError } from "../base/errors.js";
import type { Node } from "../castore/node.js";
import { validateTarget } from "../castore/path-component.js";
import { type ContentAddress, validateContentAddress } from "./content-address.js";
import type { StorePath } from "./store-path.js";

export const NAR_SHA256_BYTES = 32;
export const SIGNATURE_BYTES = 64;

const U64_MAX = 2n ** 64n - 1n;

/** An Ed25519 signature over the fingerprint of a path info. Whether it holds is not checked here. */
export interface Signature {
  /** The name of the key. */
  readonly name: string;
  /** 64 bytes. */
  readonly data: Uint8Array;
}

/** Immutable; its bytes are not to be written to. */
export interface PathInfo {
  readonly storePath: StorePath;
  /** The content. */
  readonly node: Node;
  /** The store paths it mentions, in the order they were given; it may mention itself. */
  readonly references: readonly StorePath[];
  /** Length of the NAR of {@link node} in bytes. */
  readonly narSize: bigint;
  /** 32 bytes. */
  readonly narSha256: Uint8Array;
  readonly signatures: readonly Signature[];
  /** The derivation it was built from, its name without the last `.drv`; absent when not known. */
  readonly deriver?: StorePath;
  /** Absent when the store path does not follow from the content, or it is not known how. */
  readonly ca?: ContentAddress;
}

/**
 * Checks what the types leave open: lengths of hashes and signatures, ranges of numbers, symlink targets.
 * Whether the content is there and has this NAR is for others to check.
 *
 * @throws {StoreError} `invalid-argument`, naming the store path and the field at fault.
 */
export function validatePathInfo(pathInfo: PathInfo): void {
  try {
    validateRoot(pathInfo.node);
    validateU64("NAR size", pathInfo.narSize);
    validateLength("NAR SHA-256", pathInfo.narSha256, NAR_SHA256_BYTES);
    for (const [index, { name, data }] of pathInfo.signatures.entries()) {
      const which = `signature ${index}, by ${quoteBytes(Buffer.from(name))}`;
      validateLength(which, data, SIGNATURE_BYTES);
    }
    if (pathInfo.ca !== undefined) validateContentAddress(pathInfo.ca);
  } catch (error) {
    if (!isStoreError(error)) throw error;
    throw new StoreError(
      error.code,
      `Invalid path info of ${pathInfo.storePath}: ${error.message}`,
    );
  }
}

function validateRoot(node: Node): void {
  if (node.type === "symlink") validateTarget(node.target);
  else validateU64(`size of the ${node.type}`, node.size);
}

function validateU64(what: string, value: bigint): void {
  if (value < 0n || value > U64_MAX) {
    throw new StoreError("invalid-argument", `${what} ${value} does not fit 64 bits`);
  }
}

function validateLength(what: string, bytes: Uint8Array, expected: number): void {
  if (bytes.length !== expected) {
    throw new StoreError(
      "invalid-argument",
      `${what} has ${bytes.length} bytes, expected ${expected}`,
    );
  }
}
