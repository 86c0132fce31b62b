/**
 * The file system that a mount shows, built the same way in every thread that serves it.
 */
import { FetchableSource, type FreshObjects } from "../castore/fs/fetchable-source.js";
import { Projection } from "../castore/fs/projection.js";
import { type ProvisionalObjects, ProvisionalSource } from "../castore/fs/provisional-source.js";
import { RangeLog } from "../castore/fs/range-log.js";
import { ResidentStore } from "../castore/local/resident-store.js";
import {
  FetchableRootNodes,
  NO_KNOWLEDGE,
  type RootKnowledge,
} from "../store/fetchable-root-nodes.js";
import { LocalPathInfoService } from "../store/path-info/local.js";
import { StoreRootNodes } from "../store/store-root-nodes.js";
import { isRemote } from "./address.js";
import { addressesOf, hasFarPathInfos } from "./addresses.js";
import { type LocalStores, openLocalStores, type StoreArguments } from "./services.js";

export interface ProjectionRecipe {
  readonly store: StoreArguments;
  readonly listable: boolean;
  /** The memory of the `RangeLog` that all threads share. */
  readonly ranges: SharedArrayBuffer;
}

/** Opens the stores; they stay open as long as the thread lives. */
export async function openProjection(recipe: ProjectionRecipe): Promise<Projection> {
  return projectionOf(recipe, await openLocalStores(recipe.store));
}

/**
 * The file system over `stores`, where what is remote and not in them is a miss. `fetched` is for the
 * thread that fetches.
 */
export function projectionOf(
  { store, listable, ranges }: ProjectionRecipe,
  stores: LocalStores,
  fetched?: RootKnowledge & FreshObjects & { readonly provisional: ProvisionalObjects | undefined },
): Projection {
  const { blobs, directories, pathInfos } = addressesOf(store);
  const resident = new ResidentStore(stores);
  const kinds = { blobs: isRemote(blobs), directories: isRemote(directories) };
  const provisional = fetched?.provisional;
  const isFetched = kinds.blobs || kinds.directories || provisional !== undefined;
  const source = isFetched ? new FetchableSource(resident, kinds, fetched) : resident;
  const local = new LocalPathInfoService(stores.pathInfos.index);
  const residentRoots = new StoreRootNodes(local, { listable });
  const roots = hasFarPathInfos(store)
    ? new FetchableRootNodes(residentRoots, local, fetched ?? NO_KNOWLEDGE, {
        // A binary cache does not tell what it has: what is here is listed.
        listable: listable && isRemote(pathInfos),
      })
    : residentRoots;
  return new Projection(
    roots,
    provisional === undefined ? source : new ProvisionalSource(source, provisional),
    new RangeLog(ranges),
  );
}
