/**
 * What a binary cache says about itself, the file `nix-cache-info`:
 *
 *   StoreDir       the store its paths belong in
 *   WantMassQuery  whether it may be asked about anything
 *   Priority       lower is asked first
 */
import { decodeUtf8 } from "../../base/bytes.js";
import { StoreError } from "../../base/errors.js";
import { STORE_DIR } from "../store-path.js";

export const CACHE_INFO_NAME = "nix-cache-info";
/** Bytes. */
export const CACHE_INFO_SIZE_MAX = 64 * 1024;

/** What Nix assumes where nothing is said. */
export const PRIORITY_DEFAULT = 50;

export interface CacheInfo {
  readonly priority: number;
}

/**
 * Reads a `nix-cache-info`. What is not known is passed over, as in Nix.
 *
 * @throws {StoreError} `invalid-argument` when it is none, or of a cache for another store.
 */
export function parseCacheInfo(bytes: Uint8Array): CacheInfo {
  const text = decodeUtf8(bytes);
  const fields = new Map(
    (text ?? "").split("\n").map((line) => {
      const colon = line.indexOf(":");
      return [line.slice(0, Math.max(colon, 0)), line.slice(colon + 1).trim()];
    }),
  );
  const storeDir = fields.get("StoreDir");
  if (storeDir !== undefined && storeDir !== STORE_DIR) {
    throw new StoreError(
      "invalid-argument",
      `It is for the store ${JSON.stringify(storeDir.slice(0, 128))}, not for ${STORE_DIR}`,
    );
  }
  const priority = fields.get("Priority");
  if (storeDir === undefined && priority === undefined) {
    throw new StoreError("invalid-argument", `Its ${CACHE_INFO_NAME} names no StoreDir`);
  }
  if (priority === undefined) return { priority: PRIORITY_DEFAULT };
  if (!/^\d{1,9}$/.test(priority)) {
    throw new StoreError(
      "invalid-argument",
      `Its priority ${JSON.stringify(priority.slice(0, 128))} is not a number`,
    );
  }
  return { priority: Number(priority) };
}
