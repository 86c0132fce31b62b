/**
 * Store paths that lie on disk, as in /nix/store, on their way into a store.
 */
import { join } from "node:path";
import { equalBytes } from "../../base/bytes.js";
import { StoreError } from "../../base/errors.js";
import { storeWholeTree } from "../../castore/tree-upload.js";
import { findMissing } from "../completeness.js";
import { checkContentAddress } from "../content-address-check.js";
import { ingestTree } from "../import/ingest.js";
import type { PathInfo } from "../path-info.js";
import type { GraphEntry } from "../reference-graph.js";
import type { StorePath } from "../store-path.js";
import type { StoreTargetServices } from "./store-target.js";
import type { AddOptions, Moved } from "./target.js";
import type { Transfer } from "./transfer.js";

/**
 * Takes the tree of `entry` below `storeRoot` for its content. What the graph says of the NAR is checked.
 * A reference that is neither in the graph nor in the target is an error.
 *
 * @param entries the names of all paths in the graph
 */
export function diskTransfer(
  entry: GraphEntry,
  entries: ReadonlySet<string>,
  storeRoot: string,
  target: StoreTargetServices,
): Transfer {
  const { storePath, references, narSize } = entry;
  return {
    storePath,
    references,
    narSize,
    async isPresent() {
      const known = await target.pathInfos.get(storePath.hash);
      return known !== undefined && (await findMissing(known.node, target)) === undefined;
    },
    async move(options) {
      for (const reference of references) {
        if (entries.has(reference.basename)) continue;
        if (await target.pathInfos.get(reference.hash)) continue;
        throw dangling(storePath, reference);
      }
      return await importEntry(entry, join(storeRoot, String(storePath)), target, options);
    },
  };
}

async function importEntry(
  entry: GraphEntry,
  path: string,
  target: StoreTargetServices,
  { signal, onBytes, referencesDone }: AddOptions,
): Promise<Moved> {
  let bytes = 0;
  const onProgress = (progress: { readonly bytes: number }): void => {
    signal.throwIfAborted();
    onBytes(progress.bytes - bytes);
    bytes = progress.bytes;
  };
  const tree = await storeWholeTree(target, (sink) =>
    ingestTree(Buffer.from(path), sink, onProgress),
  );
  const pathInfo: PathInfo = { ...entry, ...tree };
  const { narSha256 = tree.narSha256, narSize = tree.narSize } = entry;
  if (narSize !== tree.narSize || !equalBytes(narSha256, tree.narSha256)) {
    throw new StoreError(
      "corrupt",
      `The content of ${path} does not have the NAR hash of the graph`,
    );
  }
  checkContentAddress(pathInfo);
  await referencesDone;
  await Promise.all([
    target.pathInfos.put(pathInfo, { signal }),
    target.nars?.remember(tree.node, tree),
  ]);
  return { bytes };
}

function dangling(storePath: StorePath, reference: StorePath): StoreError {
  return new StoreError(
    "dangling-reference",
    `${storePath} refers to ${reference}, which is neither in the graph nor in the target`,
  );
}
