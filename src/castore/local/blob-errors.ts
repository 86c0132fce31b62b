/**
 * What can be wrong with a blob that the store should have. Each message names the digest.
 */
import { messageOf, StoreError } from "../../base/errors.js";
import type { B3Digest } from "../digest.js";

/** The error for a blob that the index lists but whose file is gone. */
export function missing(digest: B3Digest): StoreError {
  return new StoreError("dangling-reference", `Blob ${digest} is missing from the store`);
}

/** The error for a blob whose bytes are not what its digest says. */
export function damaged(
  digest: B3Digest,
  how = "its content does not match its digest",
): StoreError {
  return new StoreError("corrupt", `Blob ${digest} is damaged: ${how}`);
}

/** The error for a blob that the disk would not give. */
export function unreadable(digest: B3Digest, error: unknown): StoreError {
  return new StoreError("unavailable", `Cannot read blob ${digest}: ${messageOf(error)}`, {
    cause: error,
  });
}
