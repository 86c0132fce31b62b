/**
 * The fast mount engine: the FUSE protocol spoken on /dev/fuse, by threads that block in read(2) and answer
 * what is on this machine at once; until they are there, by the main thread.
 */
import { closeSync } from "node:fs";
import { StoreError } from "../base/errors.js";
import type { Logger } from "../base/log.js";
import type { FileSystem } from "../castore/fs/file-system.js";
import type { EngineMount, MountEngine, MountOptions } from "./engine.js";
import { BackingFiles } from "./kernel/backing-files.js";
import { REQUEST_BYTES, readRequest, type WaitingRoom, writeReply } from "./kernel/device-loop.js";
import { mountDevice } from "./kernel/device-mount.js";
import { Dispatcher } from "./kernel/dispatch.js";
import { type EarlyLimits, EarlyServer } from "./kernel/early-server.js";
import { openFilesFor } from "./kernel/open-files.js";
import { raiseReadAhead } from "./kernel/read-ahead.js";
import { type Fetch, WaitingRequests } from "./kernel/waiting-requests.js";
import { startWatcher, type Watcher } from "./kernel/watcher.js";
import type { WorkerPool } from "./kernel/worker-pool.js";
import { mountAt, readMountTable } from "./mount-table.js";
import { type Connection, FEATURE, has, negotiate } from "./protocol/init.js";
import { OP } from "./protocol/opcodes.js";
import { FuseReply } from "./protocol/reply.js";
import { FuseRequest } from "./protocol/request.js";
import { detach } from "./unmount.js";

export interface KernelEngineOptions {
  /** The threads that will serve. */
  readonly pool: WorkerPool;
  /** When they start, if not as always. */
  readonly earlyLimits?: EarlyLimits;
  /** Whether the kernel may read files of the store itself, where it can: costs a question per open. */
  readonly passthrough: boolean;
  /** The same file system for this thread, which answers first, and the requests that had to wait. */
  readonly fileSystem: FileSystem;
  /** Fetches what a `Miss` wants. */
  readonly fetch: Fetch;
}

/**
 * When a mount is watched over from. To start a process takes several milliseconds, which whoever waits for the mount can
 * use better. Killed before, it stays behind dead, as one that is killed while it mounts, and the next start removes it.
 */
const WATCH_AFTER_MS = 200;

const INIT_REPLY_BYTES = 4096;

export class KernelEngine implements MountEngine {
  readonly name = "kernel";
  readonly #options: KernelEngineOptions;

  constructor(options: KernelEngineOptions) {
    this.#options = options;
  }

  async mount({ mountPoint, allowOther, log }: MountOptions): Promise<EngineMount> {
    const device = await mountDevice({ mountPoint, allowOther });
    let watcher: Watcher | undefined;
    const watching = setTimeout(() => {
      watcher = startWatcher(mountPoint);
    }, WATCH_AFTER_MS);
    const unwatch = (): void => {
      clearTimeout(watching);
      watcher?.close();
    };
    try {
      const connection = initialise(device, this.#options.passthrough, log);
      const mounted = mountAt(readMountTable(), mountPoint);
      if (mounted !== undefined) raiseReadAhead(mounted.device, log);
      const { waiting, ended } = this.#serve(device, connection, log);
      // Another tvix-store that mounts here next may be given the same numbers by the kernel.
      ended.then(unwatch, unwatch);
      const { pool } = this.#options;
      return {
        ended,
        async close() {
          waiting.close();
          await pool.close();
          unwatch();
        },
      };
    } catch (error) {
      await detach(mountPoint);
      closeSync(device);
      unwatch();
      throw error;
    }
  }

  /** Serves from this thread first, and from others as soon as that is worth it. */
  #serve(device: number, connection: Connection, log: Logger) {
    const { fileSystem, fetch, pool, earlyLimits } = this.#options;
    const { readBytesMax } = connection;
    const backing = has(connection.features, FEATURE.passthrough)
      ? new BackingFiles(device).shared
      : undefined;
    const openFiles = openFilesFor(connection, fileSystem, device, backing);
    const dispatcher = new Dispatcher(fileSystem, connection, openFiles, log);
    const waiting = new WaitingRequests({ device, readBytesMax, dispatcher, fetch, log });
    const waitingRoom: WaitingRoom = {
      wait: (request, { want }) => void waiting.wait(request, want),
      interrupt: (unique) => waiting.interrupt(unique),
    };
    const startThreads = () =>
      pool.serve({ device, connection, backing }, (message) => {
        if (message.type === "serving") early.leave();
        else if (message.type === "interrupt") waiting.interrupt(message.unique);
        else void waiting.wait(message.request, message.want);
      });
    const early = new EarlyServer(
      { device, readBytesMax, dispatcher, waitingRoom, log },
      startThreads,
      earlyLimits,
    );
    const ended = Promise.race([
      pool.ended,
      early.done.then((how) => (how === "left" ? pool.ended : undefined)),
    ]);
    ended.catch(() => {});
    return { waiting, ended };
  }
}

/** Answers the kernel's first request. */
function initialise(device: number, passthrough: boolean, log: Logger): Connection {
  const bytes = Buffer.alloc(REQUEST_BYTES);
  const request = new FuseRequest(bytes);
  const reply = new FuseReply(INIT_REPLY_BYTES);
  const length = readRequest(device, bytes);
  if (length === undefined || !request.take(length) || request.opcode !== OP.init) {
    throw new StoreError("unavailable", "The kernel did not begin the connection with INIT");
  }
  reply.clear();
  const connection = negotiate(request, reply, { passthrough });
  reply.finish(request);
  writeReply(device, reply, log);
  if (passthrough && !has(connection.features, FEATURE.passthrough)) {
    log.warn({}, "This kernel offers no passthrough (Linux 6.9 does): reading files for it");
  }
  return connection;
}
