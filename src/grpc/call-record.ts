import type { status } from "@grpc/grpc-js";

/** What is told of a call when it is over. */
export interface CallRecord {
  /** `/tvix.castore.v1.BlobService/Read` */
  readonly method: string;
  readonly peer: string;
  /** Whose token it came with, where tokens are asked for. */
  readonly caller: string | undefined;
  /** The caller's W3C trace id, when it sent one: finds the call in its own logs. */
  readonly trace: string | undefined;
  readonly code: status;
  readonly durationMs: number;
  /** Messages that were streamed to us and to the client, without the frames around them. */
  readonly receivedBytes: number;
  readonly sentBytes: number;
}
