/**
 * What error codes are called on the wire, in both directions.
 */
import { status } from "@grpc/grpc-js";
import { type ErrorCode, isStoreError } from "../base/errors.js";

/** What a call is answered with when it fails. */
export interface CallStatus {
  readonly code: status;
  /** For people, on one line. */
  readonly details: string;
}

/** Longer texts are cut: they travel in a header, which peers bound. */
const DETAILS_LENGTH_MAX = 1500;

const STATUSES: Readonly<Record<ErrorCode, status>> = {
  "invalid-argument": status.INVALID_ARGUMENT,
  "not-found": status.NOT_FOUND,
  "dangling-reference": status.DATA_LOSS,
  corrupt: status.DATA_LOSS,
  "permission-denied": status.PERMISSION_DENIED,
  "limit-exceeded": status.RESOURCE_EXHAUSTED,
  unsupported: status.UNIMPLEMENTED,
  unavailable: status.UNAVAILABLE,
  aborted: status.CANCELLED,
  internal: status.INTERNAL,
};

const ERROR_CODES: Readonly<Record<status, ErrorCode>> = {
  // Success where a failure was expected breaks the protocol.
  [status.OK]: "internal",
  [status.CANCELLED]: "aborted",
  [status.UNKNOWN]: "internal",
  [status.INVALID_ARGUMENT]: "invalid-argument",
  [status.DEADLINE_EXCEEDED]: "unavailable",
  [status.NOT_FOUND]: "not-found",
  [status.ALREADY_EXISTS]: "invalid-argument",
  [status.PERMISSION_DENIED]: "permission-denied",
  [status.RESOURCE_EXHAUSTED]: "limit-exceeded",
  [status.FAILED_PRECONDITION]: "invalid-argument",
  [status.ABORTED]: "unavailable",
  // How some servers refuse a message that is too large.
  [status.OUT_OF_RANGE]: "limit-exceeded",
  [status.UNIMPLEMENTED]: "unsupported",
  [status.INTERNAL]: "internal",
  [status.UNAVAILABLE]: "unavailable",
  [status.DATA_LOSS]: "corrupt",
  [status.UNAUTHENTICATED]: "permission-denied",
};

/** The answer to a call that failed with `error`. A bug says nothing of itself to the peer. */
export function callStatus(error: unknown): CallStatus {
  if (!isStoreError(error) || error.code === "internal") {
    return { code: status.INTERNAL, details: "Internal error" };
  }
  return { code: STATUSES[error.code], details: headerText(error.message) };
}

/** The error code behind the status a peer answered with; `internal` for one that does not exist. */
export function errorCodeOf(code: number): ErrorCode {
  return ERROR_CODES[code as status] ?? "internal";
}

/** Text that can be sent: one line, not too long, no half characters. */
function headerText(text: string): string {
  const line = text.replaceAll(/\s*\n\s*/g, " ");
  const cut = line.length > DETAILS_LENGTH_MAX ? `${line.slice(0, DETAILS_LENGTH_MAX)}…` : line;
  return Buffer.from(cut).toString();
}
