/**
 * A thread that serves a mount: opens the local stores for itself and answers from them until the mount is
 * gone.
 */
import { loadSmallHash } from "../castore/small-hash.js";
import { serveWorker, workerRecipe } from "../fuse/kernel/serve-worker.js";
import { createLogger, type LogArguments } from "./logger.js";
import { openProjection, type ProjectionRecipe } from "./mount-projection.js";

export interface MountWorkerRecipe {
  readonly projection: ProjectionRecipe;
  readonly log: LogArguments;
}

await loadSmallHash();
const recipe = workerRecipe<MountWorkerRecipe>();
await serveWorker(await openProjection(recipe.projection), createLogger(recipe.log));
