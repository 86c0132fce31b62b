import { once } from "node:events";
import type { ServerResponse } from "node:http";
import type { ReceivedRequest } from "./received-request.js";
import type { Reply } from "./reply.js";

/** On every reply: whatever is served is what its type says, and leads nobody astray. */
const SAFETY = ["x-content-type-options", "nosniff", "referrer-policy", "no-referrer"] as const;

/**
 * Sends `reply`, no faster than the client takes it, and has `rest` end before the connection is closed.
 *
 * @returns the bytes of its body.
 * @throws what its body throws, and when the client is gone; the connection is of no use then.
 */
export async function sendReply(
  { status, headers, body }: Reply,
  request: ReceivedRequest,
  response: ServerResponse,
  rest: Promise<void> | undefined,
): Promise<number> {
  const lines: (string | number)[] = [...SAFETY];
  for (const name in headers) lines.push(name, headers[name] as string | number);
  response.writeHead(status, lines);
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
      // A string goes out in one piece with the headers.
      response.end(body);
    }
    return Buffer.byteLength(body);
  }
  const { signal } = request;
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
