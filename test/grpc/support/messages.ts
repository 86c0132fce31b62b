/**
 * Requests and answers as bytes, by protobufjs and the definitions in protos/.
 */
import { decodeBlobChunk } from "../../../src/grpc/blob-chunk-codec.js";
import { type Family, serviceDefinitions } from "../../../src/grpc/definitions.js";
import { encodeBlobChunk } from "./blob-chunk.js";
import type { RawAnswer, RawClient } from "./raw-client.js";

const NO_BYTES = Buffer.alloc(0);

/** Each method of one family as a call with plain values. */
export function callsOf(family: Family, client: RawClient) {
  const { blobs, directories, pathInfos } = serviceDefinitions(family);
  return {
    stat: (digest: Uint8Array) =>
      client.call(blobs.Stat.path, blobs.Stat.requestSerialize({ digest })),
    read: (digest: Uint8Array) =>
      client.call(blobs.Read.path, blobs.Read.requestSerialize({ digest })),
    putBlob: (parts: readonly Uint8Array[]) =>
      client.upload(blobs.Put.path, parts.map(encodeBlobChunk)),
    getDirectory: (digest: Uint8Array | undefined, recursive = false) =>
      client.call(
        directories.Get.path,
        directories.Get.requestSerialize({ ...(digest && { digest }), recursive }),
      ),
    putDirectories: (messages: Iterable<Uint8Array>) =>
      client.upload(directories.Put.path, messages),
    getPathInfo: (hash: Uint8Array | undefined) =>
      client.call(
        pathInfos.Get.path,
        hash === undefined ? NO_BYTES : pathInfos.Get.requestSerialize({ by_output_hash: hash }),
      ),
    putPathInfo: (message: Uint8Array) => client.call(pathInfos.Put.path, message),
    calculateNar: (message: Uint8Array) => client.call(pathInfos.CalculateNAR.path, message),
    list: () => client.call(pathInfos.List.path, NO_BYTES),
  };
}

/** The 32 bytes of the digest a Put of either kind was answered with. */
export function digestIn({ messages }: RawAnswer): Buffer {
  return only(messages).subarray(2);
}

/** The content in an answer to Read. */
export function contentIn({ messages }: RawAnswer): Buffer {
  return Buffer.concat(messages.map(decodeBlobChunk));
}

export function only<T>(list: readonly T[]): T {
  if (list.length !== 1) throw new Error(`expected one element, found ${list.length}`);
  return list[0] as T;
}
