import { messageOf, StoreError } from "../errors.js";
import type { Compression } from "./compression.js";

/** The error of content that is not what its compression promises. */
export function damaged(compression: Compression, cause: unknown): StoreError {
  const options = cause instanceof Error ? { cause } : {};
  return new StoreError(
    "invalid-argument",
    `Cannot decompress ${compression}: ${messageOf(cause)}`,
    options,
  );
}

/** {@link damaged}, for content that stops before its end. */
export function truncated(compression: Compression): StoreError {
  return damaged(compression, "it ends too soon");
}

/** {@link damaged}, for content that goes on after its end. */
export function trailing(compression: Compression): StoreError {
  return damaged(compression, "something else follows it");
}
