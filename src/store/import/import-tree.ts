/**
 * Importing: a tree on disk becomes a store path whose hash follows from its content.
 */
import type { TreeTargets } from "../../castore/tree-upload.js";
import type { PathInfo } from "../path-info.js";
import { addPathInfo, type PathInfoTargets } from "./add-path-info.js";
import { type ImportProgress, ingestTree } from "./ingest.js";

export interface ImportTargets extends TreeTargets, PathInfoTargets {}

/**
 * Stores the tree at `path` as the content-addressed store path called `name` (`fixed:r:sha256`, no
 * references), as `nix-store --add` would. The path info comes last: when it is there, so is everything.
 *
 * @throws {StoreError} naming the path at fault; no path info is stored then.
 */
export async function importTree(
  path: Uint8Array,
  name: string,
  targets: ImportTargets,
  onProgress?: (progress: ImportProgress) => void,
): Promise<PathInfo> {
  return await addPathInfo(name, await ingestTree(path, targets, onProgress), targets);
}
