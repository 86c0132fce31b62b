/**
 * Whether a path info's content address bears out the rest of it.
 */
import { equalBytes } from "../base/bytes.js";
import { isStoreError, StoreError } from "../base/errors.js";
import { contentAddressedPath, formatContentAddress } from "./content-address.js";
import type { PathInfo } from "./path-info.js";

/** What a content address is checked against: path infos and narinfos have it. */
export type Claim = Pick<PathInfo, "storePath" | "references" | "narSha256" | "ca">;

/**
 * Checks that the store path is the one that follows from the content address and, where that is the hash
 * of the NAR, that the two hashes are equal. Passes when there is no content address. The content itself
 * is not read: content-address-verify.ts does that.
 *
 * @throws {StoreError} `invalid-argument`, saying what contradicts what.
 */
export function checkContentAddress(pathInfo: Claim): void {
  const { ca, storePath, references, narSha256 } = pathInfo;
  if (ca === undefined) return;
  const others = references.filter((reference) => !reference.equals(storePath));
  const selfReference = others.length < references.length;
  try {
    const expected = contentAddressedPath(ca, storePath.name, others, selfReference);
    if (!expected.equals(storePath)) {
      throw contradiction(`${formatContentAddress(ca)} makes it ${expected}`);
    }
    // Of content that refers to itself the address leaves those references out, the NAR hash does not.
    const hashesNar = ca.method === "nar" && ca.algorithm === "sha256" && !selfReference;
    if (hashesNar && !equalBytes(ca.digest, narSha256)) {
      throw contradiction(`${formatContentAddress(ca)} is not its NAR SHA-256`);
    }
  } catch (error) {
    if (!isStoreError(error)) throw error;
    throw new StoreError(
      error.code,
      `The content address of ${storePath} contradicts the path info: ${error.message}`,
    );
  }
}

function contradiction(message: string): StoreError {
  return new StoreError("invalid-argument", message);
}
