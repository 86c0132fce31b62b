/**
 * The threads that serve one mount.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { Worker } from "node:worker_threads";
import { messageOf, StoreError } from "../../base/errors.js";
import { libc } from "../../base/libc.js";
import type { Logger } from "../../base/log.js";
import type { WorkerMessage, WorkerStart } from "./worker-protocol.js";

/**
 * What a request leaves behind is garbage at once. Left to itself each thread would let up to 48 MB of it
 * gather; with this it takes out less, more often, at no cost that could be measured.
 */
const RESOURCE_LIMITS = { maxYoungGenerationSizeMb: 12 };
/** How long threads are waited for that end as soon as the kernel lets go of their read. */
const CLOSE_WAIT_MS = 500;

export interface WorkerPoolOptions {
  /** The module each thread runs. */
  readonly module: URL;
  readonly start: WorkerStart<unknown>;
  readonly count: number;
  readonly onMessage: (message: WorkerMessage) => void;
  readonly log: Logger;
}

export class WorkerPool {
  /** Resolves when all threads have ended with the mount; rejects when all have failed. */
  readonly ended: Promise<void>;
  #running: number;

  /** Starts the threads. */
  constructor({ module, start, count, onMessage, log }: WorkerPoolOptions) {
    this.#running = count;
    let failure: unknown;
    const threads = Array.from({ length: count }, async () => {
      try {
        await runThread(
          new Worker(module, { workerData: start, resourceLimits: RESOURCE_LIMITS }),
          onMessage,
        );
        return true;
      } catch (error) {
        // The others go on serving; without any, callers would hang for ever.
        failure = error;
        log.error({}, `A thread that serves the mount has failed: ${messageOf(error)}`);
        return false;
      } finally {
        this.#running--;
      }
    });
    this.ended = Promise.all(threads).then((outcomes) => {
      if (outcomes.includes(true)) return;
      throw new StoreError(
        "internal",
        `No thread is left to serve the mount: ${messageOf(failure)}`,
      );
    });
    this.ended.catch(() => {});
    process.on("exit", endProcess);
  }

  /** Waits a moment for threads that are about to end. Those that stay do not keep the process. */
  async close(): Promise<void> {
    await Promise.race([this.ended.catch(() => {}), sleep(CLOSE_WAIT_MS)]);
    if (this.#running === 0) process.off("exit", endProcess);
  }
}

/**
 * Ends this process at once. Node's own exit waits for its threads, and one that is blocked in the kernel,
 * reading for a detached mount with files still open, never comes back.
 */
function endProcess(code: number): void {
  libc()._exit(code);
}

/** Resolves when the thread has ended in good order. */
function runThread(worker: Worker, onMessage: (message: WorkerMessage) => void): Promise<void> {
  worker.on("message", onMessage);
  return new Promise((resolve, reject) => {
    worker.once("error", reject);
    worker.once("exit", (code) => {
      if (code === 0) resolve();
      else reject(new StoreError("internal", `it ended with code ${code}`));
    });
  });
}
