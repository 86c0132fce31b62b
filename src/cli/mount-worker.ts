/**
 * A thread that serves a mount: opens the local stores for itself and answers from them until the mount is
 * gone.
 */
import { serveWorker } from "../fuse/kernel/serve-worker.js";
import { createLogger } from "./logger.js";
import { openProjection } from "./mount-projection.js";
import type { MountWorkerRecipe } from "./mount-threads.js";

void serveWorker(async ({ projection, log }: MountWorkerRecipe) => ({
  fileSystem: await openProjection(projection),
  log: createLogger(log),
}));
