/**
 * Importing a NAR: its tree becomes a store path whose hash follows from its content.
 */
import { storeWholeTree } from "../../castore/tree-upload.js";
import { ingestNar, type NarIngestOptions } from "../nar/ingest.js";
import type { PathInfo } from "../path-info.js";
import { addPathInfo } from "./add-path-info.js";
import type { ImportTargets } from "./import-tree.js";

/**
 * Stores the tree of the NAR that `source` gives as the content-addressed store path called `name`
 * (`fixed:r:sha256`, no references): what importing the unpacked tree would give. The path info comes last.
 *
 * @throws {StoreError} as `ingestNar`; no path info is stored then.
 */
export async function importNar(
  source: AsyncIterable<Uint8Array>,
  name: string,
  targets: ImportTargets,
  options?: NarIngestOptions,
): Promise<PathInfo> {
  const ingested = await storeWholeTree(targets, (sink) => ingestNar(source, sink, options));
  return await addPathInfo(name, ingested, targets);
}
