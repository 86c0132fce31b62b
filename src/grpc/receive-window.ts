/**
 * How much clients may send before the server has taken it. HTTP/2 starts with 64 KiB, which is what one
 * upload then gets per round trip; grpc-js has no option for it on the side of the server.
 */
import type { ServerHttp2Session } from "node:http2";

/** For each call: what lies in memory when its handler is slow. */
const STREAM_BYTES = 1024 * 1024;
/** For all calls of one connection together. */
const CONNECTION_BYTES = 8 * 1024 * 1024;

const widened = new WeakSet<ServerHttp2Session>();

/** Widens the windows of a connection, once. */
export function widenReceiveWindow(session: ServerHttp2Session | undefined): void {
  if (session === undefined || session.destroyed || widened.has(session)) return;
  widened.add(session);
  session.settings({ initialWindowSize: STREAM_BYTES });
  session.setLocalWindowSize(CONNECTION_BYTES);
}
