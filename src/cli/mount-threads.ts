/**
 * The threads that serve a mount. Each runs `mount-worker.ts`.
 */
import { WorkerPool } from "../fuse/kernel/worker-pool.js";
import type { LogArguments } from "./logger.js";
import type { ProjectionRecipe } from "./mount-projection.js";

/** What a thread is told. */
export interface MountWorkerRecipe {
  readonly projection: ProjectionRecipe;
  readonly log: LogArguments;
}

let pool: WorkerPool | undefined;

/** The threads of this process, which do not know yet what they are to serve. The first call starts the first one. */
export function mountThreads(): WorkerPool {
  // This module stays beside that one when the program is bundled.
  pool ??= new WorkerPool(new URL("./mount-worker.js", import.meta.url));
  return pool;
}
