/**
 * Importing: a tree on disk becomes a store path whose hash follows from its content.
 */
import { storeWholeTree, type WholeTreeTargets } from "../../castore/tree-upload.js";
import type { PathInfo } from "../path-info.js";
import type { ReferenceCandidates } from "../references/candidates.js";
import { ReferenceScanner } from "../references/scanner.js";
import { addPathInfo, type PathInfoTargets } from "./add-path-info.js";
import { type ImportProgress, ingestTree } from "./ingest.js";

export interface ImportTargets extends WholeTreeTargets, PathInfoTargets {}

/**
 * Stores the tree at `path` as the content-addressed store path called `name` (`fixed:r:sha256`). It refers
 * to those of `candidates` that its NAR names: to none without them, as with `nix-store --add`. It cannot
 * refer to itself, whose path is not known before. The path info comes last: when it is there, so is
 * everything.
 *
 * @throws {StoreError} naming the path at fault; no path info is stored then.
 */
export async function importTree(
  path: Uint8Array,
  name: string,
  targets: ImportTargets,
  onProgress?: (progress: ImportProgress) => void,
  candidates?: ReferenceCandidates,
): Promise<PathInfo> {
  const scanner = candidates && new ReferenceScanner(candidates);
  const ingested = await storeWholeTree(targets, (sink) =>
    ingestTree(path, sink, onProgress, (bytes) => scanner?.update(bytes)),
  );
  return await addPathInfo(name, ingested, targets, scanner?.references);
}
