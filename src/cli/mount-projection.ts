/**
 * The file system that a mount shows, built the same way in every thread that serves it.
 */
import { Projection } from "../castore/fs/projection.js";
import { RangeLog } from "../castore/fs/range-log.js";
import { ResidentStore } from "../castore/local/resident-store.js";
import { LocalPathInfoService } from "../store/path-info/local.js";
import { StoreRootNodes } from "../store/store-root-nodes.js";
import { openLocalStores, type StoreArguments } from "./services.js";

export interface ProjectionRecipe {
  readonly store: StoreArguments;
  readonly listable: boolean;
  /** The memory of the `RangeLog` that all threads share. */
  readonly ranges: SharedArrayBuffer;
}

/** Opens the stores; they stay open as long as the thread lives. */
export async function openProjection(recipe: ProjectionRecipe): Promise<Projection> {
  const stores = await openLocalStores(recipe.store);
  const pathInfos = new LocalPathInfoService(stores.pathInfos.index);
  const roots = new StoreRootNodes(pathInfos, { listable: recipe.listable });
  return new Projection(roots, new ResidentStore(stores), new RangeLog(recipe.ranges));
}
