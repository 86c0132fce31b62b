/**
 * The threads that serve one mount.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { Worker } from "node:worker_threads";
import { messageOf, StoreError } from "../../base/errors.js";
import type { Logger } from "../../base/log.js";
import { endAtOnce } from "./end-at-once.js";
import type { WorkerMessage, WorkerStart, WorkerTask } from "./worker-protocol.js";

/**
 * What a request leaves behind is garbage at once. Left to itself each thread would let up to 48 MB of it
 * gather; with this it takes out less, more often, at no cost that could be measured.
 */
const RESOURCE_LIMITS = { maxYoungGenerationSizeMb: 12 };
/**
 * How long the first thread serves alone, unless told. Starting another takes a quarter of a second of a processor, which
 * whoever waits for the mount can use better.
 */
const ALONE_MS = 1000;
/** How long threads are waited for that end as soon as the kernel lets go of their read. */
const CLOSE_WAIT_MS = 500;

export interface WorkerPoolOptions {
  /** What each thread runs; it calls `serveWorker`. */
  readonly module: URL;
  /** How each builds its file system. */
  readonly recipe: unknown;
  /** More than two are slower: they contend for one queue. */
  readonly count: number;
  readonly log: Logger;
  readonly aloneMs?: number;
}

interface Service {
  readonly start: WorkerStart;
  readonly onMessage: (message: WorkerMessage) => void;
}

export class WorkerPool {
  /** Resolves when all threads have ended with the mount; rejects when all have failed. Pending without any. */
  readonly ended: Promise<void>;
  readonly #options: WorkerPoolOptions;
  #resolveEnded: () => void = () => {};
  #rejectEnded: (reason: StoreError) => void = () => {};
  #othersTimer: NodeJS.Timeout | undefined;
  #started = 0;
  #running = 0;
  #isGood = false;

  constructor(options: WorkerPoolOptions) {
    this.#options = options;
    this.ended = new Promise((resolve, reject) => {
      this.#resolveEnded = resolve;
      this.#rejectEnded = reject;
    });
    this.ended.catch(() => {});
  }

  /**
   * Starts the first thread, which serves the mount as soon as it is ready, and the others when that has served for a
   * moment. To be called once.
   */
  serve(start: WorkerStart, onMessage: (message: WorkerMessage) => void): void {
    const endAsAlways = endAtOnce();
    this.ended.then(endAsAlways, endAsAlways);
    this.#begin({ start, onMessage });
  }

  /** Waits a moment for threads that are about to end. Those that stay do not end before the process does. */
  async close(): Promise<void> {
    if (this.#running > 0) await Promise.race([this.ended.catch(() => {}), sleep(CLOSE_WAIT_MS)]);
  }

  #begin(service: Service): void {
    const { module, recipe, aloneMs = ALONE_MS } = this.#options;
    const workerData: WorkerTask<unknown> = { recipe, start: service.start };
    const thread = new Worker(module, { resourceLimits: RESOURCE_LIMITS, workerData });
    this.#started++;
    this.#running++;
    thread.on("message", (message: WorkerMessage) => {
      service.onMessage(message);
      if (message.type !== "serving" || this.#othersTimer !== undefined) return;
      this.#othersTimer = setTimeout(() => this.#beginOthers(service), aloneMs).unref();
    });
    endOf(thread).then(
      () => this.#didEnd(service),
      (error: unknown) => this.#didEnd(service, error),
    );
  }

  #beginOthers(service: Service): void {
    while (this.#started < this.#options.count) this.#begin(service);
  }

  #didEnd(service: Service, failure?: unknown): void {
    this.#running--;
    if (failure === undefined) {
      this.#isGood = true;
    } else {
      const { log } = this.#options;
      log.error({}, `A thread that serves the mount has failed: ${messageOf(failure)}`);
      // The others go on serving; without any, callers would hang for ever.
      this.#beginOthers(service);
    }
    if (this.#running > 0) return;
    clearTimeout(this.#othersTimer);
    if (this.#isGood) this.#resolveEnded();
    else {
      const message = `No thread is left to serve the mount: ${messageOf(failure)}`;
      this.#rejectEnded(new StoreError("internal", message));
    }
  }
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
