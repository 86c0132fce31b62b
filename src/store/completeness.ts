/**
 * Whether all that a node stands for is in the store.
 */
import { mapOrdered } from "../base/concurrency.js";
import { isStoreError, StoreError } from "../base/errors.js";
import type { BlobService, CallOptions } from "../castore/blob/service.js";
import type { B3Digest } from "../castore/digest.js";
import type { DirectoryService } from "../castore/directory/service.js";
import type { Node } from "../castore/node.js";

/** How many blobs are asked for at once. */
const QUESTIONS_MAX = 32;

/**
 * Looks for the first piece of `node` that the store lacks, each piece once. Contents are not read.
 *
 * @returns what is missing, for a message; `undefined` when everything is there.
 */
export async function findMissing(
  node: Node,
  { blobs, directories }: { readonly blobs: BlobService; readonly directories: DirectoryService },
  options: CallOptions = {},
): Promise<string | undefined> {
  const ask = async (digest: B3Digest) => ((await blobs.has(digest, options)) ? undefined : digest);
  try {
    for await (const missing of mapOrdered(
      blobsOf(node, directories, options),
      QUESTIONS_MAX,
      ask,
    )) {
      options.signal?.throwIfAborted();
      if (missing !== undefined) return `blob ${missing}`;
    }
  } catch (error) {
    if (isStoreError(error, "dangling-reference")) return error.message;
    throw error;
  }
  return undefined;
}

async function* blobsOf(
  node: Node,
  directories: DirectoryService,
  options: CallOptions,
): AsyncGenerator<B3Digest> {
  if (node.type === "file") yield node.digest;
  if (node.type !== "directory") return;
  const asked = new Set<string>();
  let found = false;
  for await (const directory of directories.getRecursive(node.digest, options)) {
    found = true;
    for (let index = 0; index < directory.count; index++) {
      if (directory.type(index) !== "file") continue;
      const child = directory.node(index);
      if (child.type !== "file" || asked.has(child.digest.hex)) continue;
      asked.add(child.digest.hex);
      yield child.digest;
    }
  }
  if (!found) {
    throw new StoreError("dangling-reference", `directory ${node.digest}`);
  }
}
