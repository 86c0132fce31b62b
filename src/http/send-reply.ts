import { once } from "node:events";
import type { IncomingMessage, ServerResponse } from "node:http";
import type { Reply } from "./reply.js";

/** On every reply: whatever is served is what its type says, and leads nobody astray. */
const SAFETY = {
  "x-content-type-options": "nosniff",
  "referrer-policy": "no-referrer",
} as const;

export interface SendOptions {
  /** Fires when the client is gone. */
  readonly signal: AbortSignal;
  /** Waited for before the connection is closed. */
  readonly rest?: Promise<void> | undefined;
}

/**
 * Sends `reply`, no faster than the client takes it.
 *
 * @returns the bytes of its body.
 * @throws what its body throws, and when the client is gone; the connection is of no use then.
 */
export async function sendReply(
  { status, headers, body }: Reply,
  request: IncomingMessage,
  response: ServerResponse,
  { signal, rest }: SendOptions,
): Promise<number> {
  response.writeHead(status, { ...SAFETY, ...headers });
  if (body === undefined || request.method === "HEAD") {
    response.end();
    return 0;
  }
  if (typeof body === "string" || body instanceof Uint8Array) {
    // With its length, the client has all of it.
    if (rest !== undefined) {
      response.write(body);
      await rest;
      response.end();
    } else {
      response.end(body);
    }
    return Buffer.byteLength(body);
  }
  let sentBytes = 0;
  for await (const piece of body) {
    signal.throwIfAborted();
    sentBytes += piece.length;
    // What is large is waited for, so that its memory is free again; of the rest a copy may wait.
    const isLarge = piece.length >= response.writableHighWaterMark;
    if (!response.write(isLarge ? piece : Buffer.from(piece))) {
      await once(response, "drain", { signal });
    }
  }
  response.end();
  return sentBytes;
}
