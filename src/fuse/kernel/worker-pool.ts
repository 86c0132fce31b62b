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
  /** The module each thread runs: builds a file system from its recipe, then `serveWorker`. */
  readonly module: URL;
  /** How it builds its file system. */
  readonly recipe: unknown;
  /** More than two are slower: they contend for one queue. */
  readonly count: number;
  readonly log: Logger;
}

interface Service {
  readonly start: WorkerStart;
  readonly onMessage: (message: WorkerMessage) => void;
}

export class WorkerPool {
  /** Resolves when all threads have ended with the mount; rejects when all have failed. */
  readonly ended: Promise<void>;
  readonly #options: WorkerPoolOptions;
  #resolveEnded: () => void = () => {};
  #rejectEnded: (reason: StoreError) => void = () => {};
  readonly #threads: Worker[] = [];
  #running = 0;
  #state: "preparing" | "serving" | "abandoned" = "preparing";
  #service: Service | undefined;
  /** Of threads that are not to serve yet: what they failed on may keep the mount from coming about, too. */
  readonly #earlyFailures: unknown[] = [];
  #isGood = false;

  /**
   * Starts the first thread. The others follow when it serves: loading all at once would keep a mount waiting.
   * Until they serve they do not keep the process.
   */
  constructor(options: WorkerPoolOptions) {
    this.#options = options;
    this.ended = new Promise((resolve, reject) => {
      this.#resolveEnded = resolve;
      this.#rejectEnded = reject;
    });
    this.ended.catch(() => {});
    if (options.count > 0) this.#begin();
  }

  /** Has the threads serve the mount, each as soon as it is ready. */
  serve(start: WorkerStart, onMessage: (message: WorkerMessage) => void): void {
    this.#state = "serving";
    this.#service = { start, onMessage };
    process.on("exit", endProcess);
    for (const thread of this.#threads) this.#employ(thread, this.#service);
    for (const failure of this.#earlyFailures.splice(0)) this.#didEnd(failure);
  }

  /**
   * Ends threads that do not serve yet; waits a moment for those that do and are about to end. Those that
   * stay do not keep the process.
   */
  async close(): Promise<void> {
    if (this.#state !== "serving") {
      this.#state = "abandoned";
      await Promise.all(this.#threads.map((thread) => thread.terminate()));
      for (const failure of this.#earlyFailures.splice(0)) this.#didEnd(failure);
      return;
    }
    await Promise.race([this.ended.catch(() => {}), sleep(CLOSE_WAIT_MS)]);
    if (this.#running === 0) process.off("exit", endProcess);
  }

  #begin(): void {
    const { module, recipe: workerData } = this.#options;
    const thread = new Worker(module, { workerData, resourceLimits: RESOURCE_LIMITS });
    thread.unref();
    this.#threads.push(thread);
    this.#running++;
    endOf(thread).then(
      () => this.#didEnd(),
      (error: unknown) => this.#didEnd(error),
    );
    if (this.#service !== undefined) this.#employ(thread, this.#service);
  }

  #beginOthers(): void {
    while (this.#threads.length < this.#options.count) this.#begin();
  }

  #employ(thread: Worker, { start, onMessage }: Service): void {
    thread.ref();
    thread.on("message", (message: WorkerMessage) => {
      onMessage(message);
      if (message.type === "serving") this.#beginOthers();
    });
    thread.postMessage(start);
  }

  #didEnd(failure?: unknown): void {
    if (failure !== undefined && this.#state === "preparing") {
      this.#earlyFailures.push(failure);
      return;
    }
    this.#running--;
    if (failure === undefined || this.#state === "abandoned") {
      this.#isGood = true;
    } else {
      // The others go on serving; without any, callers would hang for ever.
      this.#options.log.error(
        {},
        `A thread that serves the mount has failed: ${messageOf(failure)}`,
      );
      this.#beginOthers();
    }
    if (this.#running > 0) return;
    if (this.#isGood) this.#resolveEnded();
    else {
      const message = `No thread is left to serve the mount: ${messageOf(failure)}`;
      this.#rejectEnded(new StoreError("internal", message));
    }
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
