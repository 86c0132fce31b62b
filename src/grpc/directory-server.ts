/**
 * DirectoryService: what its calls mean.
 */
import type { UntypedServiceImplementation } from "@grpc/grpc-js";
import { isStoreError, StoreError } from "../base/errors.js";
import { B3Digest } from "../castore/digest.js";
import { ClosureCheck } from "../castore/directory/closure-check.js";
import type { DirectoryService } from "../castore/directory/service.js";
import type { Directory } from "../castore/directory.js";
import { decodeDirectory } from "../castore/directory-codec.js";
import type { GetDirectoryRequest__Output } from "../gen/tvix/castore/v1/GetDirectoryRequest.js";
import type { PutDirectoryResponse } from "../gen/tvix/castore/v1/PutDirectoryResponse.js";
import type { ByteBudget } from "./byte-budget.js";
import type { CallContext, CallHandlers } from "./call-handlers.js";

/** What a directory takes in memory beside its bytes. Repeated ones count too, so that no stream is endless. */
const OVERHEAD_BYTES = 512;

/** The methods of DirectoryService over `directories`. Uploads wait in memory of `budget` to be complete. */
export function directoryMethods(
  directories: DirectoryService,
  handlers: CallHandlers,
  budget: ByteBudget,
): UntypedServiceImplementation {
  return {
    Get: handlers.download((request: GetDirectoryRequest__Output, context) =>
      get(directories, request, context),
    ),
    Put: handlers.upload((messages: AsyncIterable<Uint8Array>, context) =>
      put(directories, messages, budget, context),
    ),
  };
}

/** A closure whose root is absent is an empty stream, as clients of the newer generation expect. */
async function* get(
  directories: DirectoryService,
  request: GetDirectoryRequest__Output,
  context: CallContext,
): AsyncGenerator<Uint8Array> {
  if (request.digest === undefined) {
    throw new StoreError("invalid-argument", "by_what needs to be specified");
  }
  const digest = B3Digest.from(request.digest);
  if (request.recursive) {
    for await (const { bytes } of directories.getRecursive(digest, context)) yield bytes;
    return;
  }
  const directory = await directories.get(digest, context);
  if (directory === undefined) {
    throw new StoreError("not-found", `Directory ${digest} is not in the store`);
  }
  yield directory.bytes;
}

/** Nothing is stored before all has come and is valid. */
async function put(
  directories: DirectoryService,
  messages: AsyncIterable<Uint8Array>,
  budget: ByteBudget,
  context: CallContext,
): Promise<PutDirectoryResponse> {
  using share = budget.open();
  const check = new ClosureCheck();
  const closure: Directory[] = [];
  let position = 0;
  for await (const message of messages) {
    share.take(message.length + OVERHEAD_BYTES);
    const directory = decodeAt(position++, message);
    if (check.add(directory)) closure.push(directory);
  }
  const root = check.finish();
  context.signal.throwIfAborted();
  await using putter = directories.startPut(context);
  for (const directory of closure) await putter.put(directory);
  await putter.close();
  return { root_digest: root.bytes };
}

function decodeAt(position: number, message: Uint8Array): Directory {
  try {
    return decodeDirectory(message);
  } catch (error) {
    if (!isStoreError(error)) throw error;
    throw new StoreError(error.code, `Directory ${position} of the upload: ${error.message}`);
  }
}
