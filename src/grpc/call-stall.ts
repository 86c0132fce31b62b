import { status } from "@grpc/grpc-js";

/** A call on which nothing moved; in the form in which grpc-js tells of failures. */
export interface StallError {
  readonly code: status;
  readonly details: string;
}

/** The failure of a call on which nothing moved for `stallMs`. */
export function stall(stallMs: number): StallError {
  return {
    code: status.DEADLINE_EXCEEDED,
    details: `nothing was transferred for ${stallMs / 1000} s`,
  };
}
