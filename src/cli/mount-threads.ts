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

/** `count` threads, none of which has been started. */
export function mountThreads(recipe: MountWorkerRecipe, count: number, log: Logger): WorkerPool {
  // This module stays beside that one when the program is bundled.
  const module = new URL("./mount-worker.js", import.meta.url);
  return new WorkerPool({ module, recipe, count, log });
}
