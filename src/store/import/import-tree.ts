/**
 * Importing: a tree on disk becomes a store path whose hash follows from its content.
 */
import { loadSmallHash } from "../../castore/digest.js";
import { narStorePath } from "../content-address.js";
import type { PathInfoService } from "../path-info/service.js";
import type { PathInfo } from "../path-info.js";
import { type ImportProgress, type IngestTargets, ingestTree } from "./ingest.js";

export interface ImportTargets extends IngestTargets {
  readonly pathInfos: PathInfoService;
}

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
  await loadSmallHash();
  const { node, narSha256, narSize } = await ingestTree(path, targets, onProgress);
  return await targets.pathInfos.put({
    storePath: narStorePath(name, narSha256),
    node,
    references: [],
    narSize,
    narSha256,
    signatures: [],
    ca: { method: "nar", algorithm: "sha256", digest: narSha256 },
  });
}
