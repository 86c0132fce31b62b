import { encodeBlobChunk as encodeForGrpcJs } from "../../../src/grpc/blob-chunk-codec.js";

/** The message that holds `data`, for clients that write frames of their own. */
export function encodeBlobChunk(data: Uint8Array): Buffer {
  const encoded = encodeForGrpcJs(data);
  const message = Buffer.alloc(encoded.byteLength);
  encoded.copy(message, 0);
  return message;
}
