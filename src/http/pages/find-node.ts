/**
 * From the segments of a URL to what they name in the store.
 */
import { isStoreError, StoreError } from "../../base/errors.js";
import type { Node } from "../../castore/node.js";
import type { PathInfo } from "../../store/path-info.js";
import { StorePath } from "../../store/store-path.js";
import type { CacheServices } from "../services.js";
import { linkTarget } from "./links.js";

export interface FoundNode {
  readonly pathInfo: PathInfo;
  readonly node: Node;
  /** The way below the store path. */
  readonly below: readonly Buffer[];
}

/** A symlink on the way leads elsewhere: what is looked for may be at these segments. */
export interface Detour {
  readonly segments: readonly Buffer[];
}

/**
 * What `segments`, a store path's `<hash>-<name>` and names below it, lead to; `undefined` when that is nothing.
 * A symlink at their end is what was looked for.
 */
export async function findNode(
  segments: readonly Buffer[],
  services: CacheServices,
  signal: AbortSignal,
): Promise<FoundNode | Detour | undefined> {
  const [first, ...below] = segments;
  const storePath = first && readStorePath(first.toString());
  const pathInfo = storePath && (await services.pathInfos.get(storePath.hash, { signal }));
  if (pathInfo === undefined || pathInfo.storePath.name !== storePath?.name) return undefined;
  let node: Node = pathInfo.node;
  for (const [depth, name] of below.entries()) {
    if (node.type === "symlink") {
      const way = linkTarget(storePath, below.slice(0, depth), node.target);
      return way && { segments: [...way, ...below.slice(depth)] };
    }
    if (node.type === "file") return undefined;
    const directory = await services.directories.get(node.digest, { signal });
    if (directory === undefined) {
      throw new StoreError("dangling-reference", `Directory ${node.digest} is missing`);
    }
    const child = directory.get(name);
    if (child === undefined) return undefined;
    node = child;
  }
  return { pathInfo, node, below };
}

function readStorePath(text: string): StorePath | undefined {
  try {
    return StorePath.parse(text);
  } catch (error) {
    if (isStoreError(error, "invalid-argument")) return undefined;
    throw error;
  }
}
