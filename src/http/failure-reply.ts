/**
 * What errors are called over HTTP.
 */
import { type ErrorCode, isStoreError } from "../base/errors.js";
import { type Reply, textReply } from "./reply.js";

/** Damage is 503: there may be another replica, and Nix must not take it for absence. */
const READING: Readonly<Record<ErrorCode, number>> = {
  "invalid-argument": 400,
  "not-found": 404,
  "dangling-reference": 503,
  corrupt: 503,
  "permission-denied": 403,
  "limit-exceeded": 413,
  unsupported: 501,
  unavailable: 503,
  aborted: 503,
  internal: 500,
};

/**
 * Never 408, 429 or 5xx: Nix 2.8 repeats an upload then, with all its length and none of its bytes, and both sides
 * wait. What is not the client's fault is 409.
 */
const UPLOADING: Readonly<Record<ErrorCode, number>> = {
  "invalid-argument": 400,
  "not-found": 404,
  "dangling-reference": 409,
  corrupt: 409,
  "permission-denied": 403,
  "limit-exceeded": 413,
  unsupported: 415,
  unavailable: 409,
  aborted: 400,
  internal: 409,
};

/** The answer to a request that failed with `error`. A bug says nothing of itself. */
export function failureReply(error: unknown, isUpload: boolean): Reply {
  const code = isStoreError(error) ? error.code : "internal";
  const status = (isUpload ? UPLOADING : READING)[code];
  const text = isStoreError(error) && code !== "internal" ? error.message : "Internal error";
  return textReply(status, text, { "cache-control": "no-store" });
}
