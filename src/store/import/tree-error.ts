/**
 * What can go wrong while a tree on disk is read. Each message names the path at fault.
 */
import { quoteBytes } from "../../base/bytes.js";
import { errnoOf, messageOf, StoreError } from "../../base/errors.js";

/** A system error, or one of ours without the path, as a `StoreError` that names `path`. */
export function treeError(path: Uint8Array, error: unknown): StoreError {
  const what = `Cannot read ${quoteBytes(path)}`;
  if (error instanceof StoreError) return new StoreError(error.code, `${what}: ${error.message}`);
  switch (errnoOf(error)) {
    case "ENOENT":
      return new StoreError("not-found", `${what}: no such file or folder`, { cause: error });
    case "EACCES":
    case "EPERM":
      return new StoreError("permission-denied", `${what}: permission denied`, { cause: error });
    case "ELOOP":
    case "ENOTDIR":
      return changed(path);
    default:
      return new StoreError("unavailable", `${what}: ${messageOf(error)}`, { cause: error });
  }
}

/** The path is no longer what it was when the import came to it. */
export function changed(path: Uint8Array): StoreError {
  return new StoreError(
    "unavailable",
    `Cannot read ${quoteBytes(path)}: it changed while it was being read`,
  );
}

/** A kind of file that a store cannot hold. */
export function unsupportedType(path: Uint8Array, type: string): StoreError {
  return new StoreError(
    "invalid-argument",
    `Cannot read ${quoteBytes(path)}: it is a ${type}; a store holds files, folders and symlinks`,
  );
}
