/**
 * What went wrong, in a form callers can branch on. The text of an error is for people and may change;
 * its code may not.
 */
export type ErrorCode =
  /** The caller sent something malformed. */
  | "invalid-argument"
  /** Made only at an edge, from an `undefined` a service returned. */
  | "not-found"
  /** A known object points at one that is gone: a hole in the store. */
  | "dangling-reference"
  /** Stored bytes fail their digest or do not decode. */
  | "corrupt"
  /** The caller may not do this, whoever else may. */
  | "permission-denied"
  /** A stated bound was passed. */
  | "limit-exceeded"
  /** This backend does not offer the operation. */
  | "unsupported"
  /** Transient, or a resource of this machine ran out; trying again may help. */
  | "unavailable"
  /** The caller's signal fired. */
  | "aborted"
  /** A bug; details go to the log, not to a peer. */
  | "internal";

/** The one error type that crosses module borders. Wrong use by our own code is a plain `TypeError`. */
export class StoreError extends Error {
  override readonly name = "StoreError";
  readonly code: ErrorCode;

  constructor(code: ErrorCode, message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.code = code;
  }
}

/** Whether `error` is a {@link StoreError}, with `code` when one is given. */
export function isStoreError(error: unknown, code?: ErrorCode): error is StoreError {
  return error instanceof StoreError && (code === undefined || error.code === code);
}

/** The text of anything that was thrown. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** The `code` of a Node system error (`"ENOENT"`), or `undefined` for anything else. */
export function errnoOf(error: unknown): string | undefined {
  const code = error instanceof Error && "code" in error ? error.code : undefined;
  return typeof code === "string" ? code : undefined;
}
