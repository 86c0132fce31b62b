/**
 * gRPC by hand over HTTP/2, for what no client library would send.
 */
import type { ClientHttp2Session, ClientHttp2Stream } from "node:http2";

/** Begins a call of the method at `path`. */
export function startCall(session: ClientHttp2Session, path: string): ClientHttp2Stream {
  return session.request({
    ":method": "POST",
    ":path": path,
    "content-type": "application/grpc",
    te: "trailers",
  });
}

/** `message` as it goes over the wire, of a length that it may not have. */
export function framed(message: Uint8Array, length = message.length): Buffer {
  const header = Buffer.alloc(5);
  header.writeUInt32BE(length, 1);
  return Buffer.concat([header, message]);
}
