/**
 * Files with certificates, keys and tokens.
 */
import { closeSync, fstatSync, openSync, readFileSync } from "node:fs";
import { messageOf, StoreError } from "../base/errors.js";

const READ_BY_OTHERS = 0o004;

/** @throws {StoreError} `unavailable` when it cannot be read. */
export function readIdentityFile(path: string): Buffer {
  try {
    return readFileSync(path);
  } catch (error) {
    throw cannotRead(path, error);
  }
}

/**
 * As {@link readIdentityFile}, of what must stay secret.
 *
 * @throws {StoreError} `permission-denied` when every user of this machine may read it.
 */
export function readSecretFile(path: string): Buffer {
  let descriptor: number;
  try {
    descriptor = openSync(path, "r");
  } catch (error) {
    throw cannotRead(path, error);
  }
  try {
    // Asked of what was opened: the name may stand for another file by now.
    if ((fstatSync(descriptor).mode & READ_BY_OTHERS) !== 0) {
      throw new StoreError(
        "permission-denied",
        `${path} holds a secret that every user may read; take that away: chmod o-r ${path}`,
      );
    }
    return readFileSync(descriptor);
  } catch (error) {
    throw error instanceof StoreError ? error : cannotRead(path, error);
  } finally {
    closeSync(descriptor);
  }
}

function cannotRead(path: string, error: unknown): StoreError {
  return new StoreError("unavailable", `Cannot read ${path}: ${messageOf(error)}`, {
    cause: error,
  });
}
