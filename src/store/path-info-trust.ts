/**
 * Which path infos may be believed, whoever hands them over.
 */
import { isStoreError } from "../base/errors.js";
import { type Claim, checkContentAddress } from "./content-address-check.js";
import { fingerprint } from "./narinfo/fingerprint.js";
import type { PathInfo } from "./path-info.js";
import type { PublicKey } from "./signature/public-key.js";

export type Trust =
  /** The holder of `key` says that the store path has this NAR and these references. */
  | { readonly by: "signature"; readonly key: PublicKey }
  /**
   * The store path follows from the content address. Unless that is the hash of the NAR, nothing says yet
   * that the NAR hash belongs to it: `verifyContentAddress` on what has been fetched does.
   */
  | { readonly by: "content-address" };

/**
 * Why `pathInfo` may be believed: a signature by one of `keys` holds, or its content address bears out its
 * store path. `undefined` when there is no reason. A content address that contradicts the rest is none, and
 * signatures that do not hold, or are by others, do no harm. What a signature does not cover (deriver,
 * content address) is not to be believed because of it.
 */
export function trustIn(
  pathInfo: Claim & Pick<PathInfo, "narSize" | "signatures">,
  keys: readonly PublicKey[],
): Trust | undefined {
  const message = fingerprint(pathInfo);
  for (const signature of pathInfo.signatures) {
    const key = keys.find((each) => each.verify(message, signature));
    if (key !== undefined) return { by: "signature", key };
  }
  return isContentAddressed(pathInfo) ? { by: "content-address" } : undefined;
}

function isContentAddressed(pathInfo: Claim): boolean {
  if (pathInfo.ca === undefined) return false;
  try {
    checkContentAddress(pathInfo);
    return true;
  } catch (error) {
    if (isStoreError(error, "invalid-argument")) return false;
    throw error;
  }
}
