/**
 * The error table of the FUSE edge. Damage and outages are EIO, never ENOENT: a build must not mistake
 * lost data for a file that was never there.
 */
import { constants } from "node:os";
import { type ErrorCode, isStoreError } from "../base/errors.js";

const { EINTR, EINVAL, EIO, EOPNOTSUPP, EPERM, ESTALE } = constants.errno;

const errnoByCode: Readonly<Record<ErrorCode, number>> = {
  "invalid-argument": EINVAL,
  // Names that are absent never come here. What is not found is an inode number that the kernel has kept: with
  // this answer it looks its path up again.
  "not-found": ESTALE,
  "dangling-reference": EIO,
  corrupt: EIO,
  "permission-denied": EPERM,
  "limit-exceeded": EIO,
  unsupported: EOPNOTSUPP,
  unavailable: EIO,
  aborted: EINTR,
  internal: EIO,
};

/** The error number, positive, that tells the kernel of `error`. What is not a `StoreError` is EIO. */
export function errnoFrom(error: unknown): number {
  if (error instanceof ReplyError) return error.errno;
  return isStoreError(error) ? errnoByCode[error.code] : EIO;
}

/**
 * An answer that only the kernel interface knows, such as ENOTDIR or ENAMETOOLONG. It is thrown within
 * src/fuse and leaves it as the number alone.
 */
export class ReplyError extends Error {
  override readonly name = "ReplyError";
  /** Positive, from `os.constants.errno`. */
  readonly errno: number;

  constructor(errno: number, message: string) {
    super(message);
    this.errno = errno;
  }
}
