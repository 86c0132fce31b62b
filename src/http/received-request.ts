/**
 * A request as it came. What takes time to make is made when a handler asks for it: most replies need little of it.
 */
import type { IncomingHttpHeaders, IncomingMessage, ServerResponse } from "node:http";
import { TLSSocket } from "node:tls";
import { messageOf, StoreError } from "../base/errors.js";
import type { Caller } from "./access.js";
import type { Exchange } from "./exchange.js";
import { limitedBody } from "./request-body.js";
import { parseRequestTarget, type RequestTarget } from "./request-target.js";

export class ReceivedRequest implements Exchange {
  caller: Caller | undefined;
  /** How long its body may be. */
  bodyBytesMax = 0;
  readonly #request: IncomingMessage;
  readonly #bodyStallMs: number;
  #target: RequestTarget | undefined;
  #gone: AbortController | undefined;
  #isGone = false;

  /** @param bodyStallMs for how long the body may not come. */
  constructor(request: IncomingMessage, response: ServerResponse, bodyStallMs: number) {
    this.#request = request;
    this.#bodyStallMs = bodyStallMs;
    response.once("close", () => {
      if (!response.writableFinished) this.#leave();
    });
  }

  get method(): string {
    return this.#request.method ?? "";
  }

  get headers(): IncomingHttpHeaders {
    return this.#request.headers;
  }

  /** @throws {StoreError} `invalid-argument`, as {@link parseRequestTarget}. */
  get target(): RequestTarget {
    this.#target ??= parseRequestTarget(this.#request.url ?? "/");
    return this.#target;
  }

  /** For logs: without the query, where people put what is nobody's business. */
  get path(): string {
    return (this.#request.url ?? "").split("?", 1)[0] ?? "";
  }

  get origin(): string {
    const scheme = this.#request.socket instanceof TLSSocket ? "https" : "http";
    const host = this.headers.host ?? "";
    return `${scheme}://${/^[A-Za-z0-9.:[\]_-]+$/.test(host) ? host : "localhost"}`;
  }

  /** Whether the client has left before it had the whole reply. */
  get isGone(): boolean {
    return this.#isGone;
  }

  get signal(): AbortSignal {
    if (this.#gone === undefined) {
      this.#gone = new AbortController();
      if (this.#isGone) this.#leave();
    }
    return this.#gone.signal;
  }

  get body(): AsyncIterable<Uint8Array> {
    return limitedBody(bodyOf(this.#request), {
      bytesMax: this.bodyBytesMax,
      stallMs: this.#bodyStallMs,
    });
  }

  #leave(): void {
    this.#isGone = true;
    this.#gone?.abort(new StoreError("aborted", "The client is gone"));
  }
}

async function* bodyOf(request: IncomingMessage): AsyncGenerator<Uint8Array> {
  try {
    // The connection is needed for the answer, whoever stops reading.
    for await (const piece of request.iterator({ destroyOnReturn: false })) yield piece;
  } catch (error) {
    throw new StoreError("aborted", `The body ended early: ${messageOf(error)}`, { cause: error });
  }
}
