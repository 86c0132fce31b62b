/**
 * The body of a serving thread, for the module that builds its file system.
 */
import { on } from "node:events";
import { parentPort } from "node:worker_threads";
import type { Logger } from "../../base/log.js";
import type { FileSystem } from "../../castore/fs/file-system.js";
import { serveDevice } from "./device-loop.js";
import { Dispatcher } from "./dispatch.js";
import { openFilesFor } from "./open-files.js";
import { LEAVE, type WorkerMessage, type WorkerStart } from "./worker-protocol.js";

/** What a serving thread is made of. */
export interface Served {
  readonly fileSystem: FileSystem;
  readonly log: Logger;
}

/**
 * Builds what this thread is to serve, once it is told how, and serves it, as soon as there is a mount. From then on
 * it blocks, until the mount is gone.
 */
export async function serveWorker<Recipe>(
  build: (recipe: Recipe) => Promise<Served> | Served,
): Promise<void> {
  if (parentPort === null) throw new TypeError("Mounts are served by threads of their own");
  const port = parentPort;
  const messages = on(port, "message");
  const next = async <Message>() => ((await messages.next()).value as [Message | typeof LEAVE])[0];
  const recipe = await next<Recipe>();
  if (recipe === LEAVE) return void port.unref();
  const { fileSystem, log } = await build(recipe);
  const start = await next<WorkerStart>();
  port.unref();
  if (start === LEAVE) return;
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
