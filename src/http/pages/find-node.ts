/**
 * From the segments of a URL to what they name in the store.
 */
import { isStoreError, StoreError } from "../../base/errors.js";
import type { Node } from "../../castore/node.js";
import type { PathInfo } from "../../store/path-info.js";
import { StorePath } from "../../store/store-path.js";
import type { CacheServices } from "../services.js";

export interface FoundNode {
  readonly pathInfo: PathInfo;
  readonly node: Node;
  /** The way below the store path. */
  readonly below: readonly Buffer[];
}

/**
 * What `segments`, a store path's `<hash>-<name>` and names below it, lead to; `undefined` when that is nothing.
 * Symlinks on the way are not followed.
 */
export async function findNode(
  segments: readonly Buffer[],
  services: CacheServices,
  signal: AbortSignal,
): Promise<FoundNode | undefined> {
  const [first, ...below] = segments;
  const storePath = first && readStorePath(first.toString());
  const pathInfo = storePath && (await services.pathInfos.get(storePath.hash, { signal }));
  if (pathInfo === undefined || pathInfo.storePath.name !== storePath?.name) return undefined;
  let node: Node | undefined = pathInfo.node;
  for (const name of below) {
    if (node?.type !== "directory") return undefined;
    const directory = await services.directories.get(node.digest, { signal });
    if (directory === undefined) {
      throw new StoreError("dangling-reference", `Directory ${node.digest} is missing`);
    }
    node = directory.get(name);
  }
  return node && { pathInfo, node, below };
}

function readStorePath(text: string): StorePath | undefined {
  try {
    return StorePath.parse(text);
  } catch (error) {
    if (isStoreError(error, "invalid-argument")) return undefined;
    throw error;
  }
}
