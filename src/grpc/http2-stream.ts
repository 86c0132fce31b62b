/**
 * What lies beneath a call of grpc-js, which it does not show: the HTTP/2 stream.
 */
import type { ServerHttp2Stream } from "node:http2";

/** Interceptors lie around one another; in the middle is what has the stream. */
interface Layer {
  readonly call?: Layer;
  readonly nextCall?: Layer;
  readonly stream?: ServerHttp2Stream;
}

/** The stream that carries `call`; `undefined` when this version of grpc-js keeps it elsewhere. */
export function http2StreamOf(call: object): ServerHttp2Stream | undefined {
  let layer: Layer | undefined = call;
  while (layer !== undefined && layer.stream === undefined) layer = layer.call ?? layer.nextCall;
  return layer?.stream;
}
