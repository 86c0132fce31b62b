/**
 * What grpc-js does by itself: messages that nothing looks into. Everything else is measured against it.
 */
import type { MethodDefinition } from "@grpc/grpc-js";

const same = (bytes: Buffer): Buffer => bytes;

function method(name: string, requestStream: boolean, responseStream: boolean) {
  return {
    path: `/Echo/${name}`,
    requestStream,
    responseStream,
    requestSerialize: same,
    requestDeserialize: same,
    responseSerialize: same,
    responseDeserialize: same,
  } satisfies MethodDefinition<Buffer, Buffer>;
}

/** `Download` is asked for so many messages of so many bytes, each a u32. */
export const ECHO = {
  Download: method("Download", false, true),
  Upload: method("Upload", true, false),
  Unary: method("Unary", false, false),
};

export function downloadRequest(messages: number, bytes: number): Buffer {
  const request = Buffer.alloc(8);
  request.writeUInt32LE(messages, 0);
  request.writeUInt32LE(bytes, 4);
  return request;
}
