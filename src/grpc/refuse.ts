import { constants } from "node:http2";
import type { ServerInterceptingCallInterface } from "@grpc/grpc-js";
import { http2StreamOf } from "./http2-stream.js";
import type { CallStatus } from "./status.js";

/** Answers a call with a failure, and asks its client to send no more: what has come is forgotten. */
export function refuse(call: ServerInterceptingCallInterface, failure: CallStatus): void {
  call.sendStatus(failure);
  http2StreamOf(call)?.close(constants.NGHTTP2_NO_ERROR);
}
