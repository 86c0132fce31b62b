/**
 * The body of a serving thread, for the module that builds its file system.
 */
import { parentPort, workerData } from "node:worker_threads";
import type { Logger } from "../../base/log.js";
import type { FileSystem } from "../../castore/fs/file-system.js";
import { serveDevice } from "./device-loop.js";
import { Dispatcher } from "./dispatch.js";
import { openFilesFor } from "./open-files.js";
import type { WorkerMessage, WorkerTask } from "./worker-protocol.js";

/** What a serving thread is made of. */
export interface Served {
  readonly fileSystem: FileSystem;
  readonly log: Logger;
}

/**
 * Builds what this thread is to serve, as its `WorkerTask` says, and serves it. From then on it blocks, until the mount
 * is gone.
 */
export async function serveWorker<Recipe>(
  build: (recipe: Recipe) => Promise<Served> | Served,
): Promise<void> {
  if (parentPort === null) throw new TypeError("Mounts are served by threads of their own");
  const port = parentPort;
  const { recipe, start } = workerData as WorkerTask<Recipe>;
  const { fileSystem, log } = await build(recipe);
  const { device, connection, backing } = start;
  const openFiles = openFilesFor(connection, fileSystem, device, backing);
  const send = (message: WorkerMessage) => port.postMessage(message);
  send({ type: "serving" });
  dropTimers();
  serveDevice({
    device,
    readBytesMax: connection.readBytesMax,
    dispatcher: new Dispatcher(fileSystem, connection, openFiles, log),
    waitingRoom: {
      wait: (request, { want }) => send({ type: "miss", request, want }),
      interrupt: (unique) => send({ type: "interrupt", unique }),
    },
    log,
  });
}

/**
 * Has timers that are set from now on kept by nobody. This thread does not come back to its event loop, so
 * that they could not fire; the library behind the index sets one for every snapshot it takes up, and an hour
 * of them were a hundred megabytes.
 */
function dropTimers(): void {
  const never = setTimeout(() => {}, 0);
  const { __promisify__ } = setTimeout;
  globalThis.setTimeout = Object.assign(() => never, { __promisify__ });
}
