/**
 * The threads that serve a mount. Each runs `mount-worker.ts`.
 */
import type { Logger } from "../base/log.js";
import { WorkerPool } from "../fuse/kernel/worker-pool.js";
import type { LogArguments } from "./logger.js";
import type { ProjectionRecipe } from "./mount-projection.js";

/** What a thread is told. */
export interface MountWorkerRecipe {
  readonly projection: ProjectionRecipe;
  readonly log: LogArguments;
}

/** Starts the first of `count` threads, as `WorkerPool` says. */
export function startMountThreads(
  recipe: MountWorkerRecipe,
  count: number,
  log: Logger,
): WorkerPool {
  return new WorkerPool({
    // This module stays beside it when the program is bundled.
    module: new URL("./mount-worker.js", import.meta.url),
    recipe,
    count,
    log,
  });
}
