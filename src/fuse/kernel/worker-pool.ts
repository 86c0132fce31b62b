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
  /** How it builds its file system. */
  readonly recipe: unknown;
  readonly count: number;
  readonly log: Logger;
}

export class WorkerPool {
  /** Resolves when all threads have ended with the mount; rejects when all have failed. */
  readonly ended: Promise<void>;
  readonly #threads: readonly Worker[];
  #running: number;
  #state: "preparing" | "serving" | "abandoned" = "preparing";

  /** Starts the threads. Until they serve they do not keep the process. */
  constructor({ module, recipe, count, log }: WorkerPoolOptions) {
    this.#running = count;
    let failure: unknown;
    this.#threads = Array.from(
      { length: count },
      () => new Worker(module, { workerData: recipe, resourceLimits: RESOURCE_LIMITS }),
    );
    const runs = this.#threads.map(async (thread) => {
      thread.unref();
      try {
        await endOf(thread);
        return true;
      } catch (error) {
        if (this.#state === "abandoned") return true;
        // The others go on serving; without any, callers would hang for ever.
        failure = error;
        log.error({}, `A thread that serves the mount has failed: ${messageOf(error)}`);
        return false;
      } finally {
        this.#running--;
      }
    });
    this.ended = Promise.all(runs).then((outcomes) => {
      if (outcomes.includes(true)) return;
      throw new StoreError(
        "internal",
        `No thread is left to serve the mount: ${messageOf(failure)}`,
      );
    });
    this.ended.catch(() => {});
  }

  /** Has the threads serve the mount, each as soon as it is ready. */
  serve(start: WorkerStart, onMessage: (message: WorkerMessage) => void): void {
    this.#state = "serving";
    process.on("exit", endProcess);
    for (const thread of this.#threads) {
      thread.ref();
      thread.on("message", onMessage);
      thread.postMessage(start);
    }
  }

  /**
   * Ends threads that do not serve yet; waits a moment for those that do and are about to end. Those that
   * stay do not keep the process.
   */
  async close(): Promise<void> {
    if (this.#state !== "serving") {
      this.#state = "abandoned";
      await Promise.all(this.#threads.map((thread) => thread.terminate()));
      return;
    }
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
function endOf(thread: Worker): Promise<void> {
  return new Promise((resolve, reject) => {
    thread.once("error", reject);
    thread.once("exit", (code) => {
      if (code === 0) resolve();
      else reject(new StoreError("internal", `it ended with code ${code}`));
    });
  });
}
