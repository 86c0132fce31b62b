/**
 * One request on its way through the handlers.
 */
import type { IncomingHttpHeaders } from "node:http";
import type { Caller } from "./access.js";
import type { RequestTarget } from "./request-target.js";

export interface Exchange {
  readonly method: string;
  readonly target: RequestTarget;
  readonly headers: IncomingHttpHeaders;
  readonly caller: Caller | undefined;
  /** Where the client thinks we are: scheme, host and port. */
  readonly origin: string;
  /** Fires when the client is gone. */
  readonly signal: AbortSignal;
  /** The body, once. */
  readonly body: AsyncIterable<Uint8Array>;
}
