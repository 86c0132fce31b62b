/**
 * BlobService: what its calls mean.
 */
import type { UntypedServiceImplementation } from "@grpc/grpc-js";
import { StoreError } from "../base/errors.js";
import type { BlobReader, BlobService } from "../castore/blob/service.js";
import { B3Digest } from "../castore/digest.js";
import type { PutBlobResponse } from "../gen/tvix/castore/v1/PutBlobResponse.js";
import type { ReadBlobRequest__Output } from "../gen/tvix/castore/v1/ReadBlobRequest.js";
import type { StatBlobRequest__Output } from "../gen/tvix/castore/v1/StatBlobRequest.js";
import type { StatBlobResponse } from "../gen/tvix/castore/v1/StatBlobResponse.js";
import type { CallContext, CallHandlers } from "./call-handlers.js";

/** Content is sent in messages of at most this size: large ones cost the least. */
const MESSAGE_BYTES_MAX = 1024 * 1024;

/** The methods of BlobService over `blobs`. */
export function blobMethods(
  blobs: BlobService,
  handlers: CallHandlers,
): UntypedServiceImplementation {
  return {
    Stat: handlers.unary((request: StatBlobRequest__Output, context) =>
      stat(blobs, B3Digest.from(request.digest), context),
    ),
    Read: handlers.download(
      (request: ReadBlobRequest__Output, context) => read(blobs, request.digest, context),
      { transient: true },
    ),
    Put: handlers.upload((messages: AsyncIterable<Uint8Array>, context) =>
      put(blobs, messages, context),
    ),
  };
}

/** Chunks are told unasked: clients that do not want them pass over them. */
async function stat(
  blobs: BlobService,
  digest: B3Digest,
  context: CallContext,
): Promise<StatBlobResponse> {
  const chunks = await blobs.chunks(digest, context);
  if (chunks === undefined) throw absent(digest);
  return {
    chunks: chunks.map((chunk) => ({ digest: chunk.digest.bytes, size: String(chunk.size) })),
  };
}

async function* read(
  blobs: BlobService,
  digestBytes: Uint8Array,
  context: CallContext,
): AsyncGenerator<Uint8Array> {
  const digest = B3Digest.from(digestBytes);
  await using reader: BlobReader | undefined = await blobs.openRead(digest, context);
  if (reader === undefined) throw absent(digest);
  for await (const piece of reader.stream(undefined, { transient: true })) {
    for (let at = 0; at < piece.length; at += MESSAGE_BYTES_MAX) {
      yield piece.subarray(at, at + MESSAGE_BYTES_MAX);
    }
  }
}

/** A call that ends in any other way than with the end of its stream leaves nothing behind. */
async function put(
  blobs: BlobService,
  messages: AsyncIterable<Uint8Array>,
  context: CallContext,
): Promise<PutBlobResponse> {
  await using writer = await blobs.openWrite(context);
  // Each message is written while the next one arrives.
  let written = Promise.resolve();
  try {
    for await (const data of messages) {
      await written;
      written = writer.write(data);
      // Awaited in its turn.
      written.catch(() => {});
    }
  } finally {
    // A writer that is let go of in the middle of a write would leave its file behind.
    await Promise.allSettled([written]);
  }
  await written;
  context.signal.throwIfAborted();
  return { digest: (await writer.close()).digest.bytes };
}

function absent(digest: B3Digest): StoreError {
  return new StoreError("not-found", `Blob ${digest} is not in the store`);
}
