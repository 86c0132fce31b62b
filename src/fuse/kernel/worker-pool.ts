/**
 * The threads that serve one mount.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { Worker } from "node:worker_threads";
import { messageOf, StoreError } from "../../base/errors.js";
import { libc } from "../../base/libc.js";
import type { Logger } from "../../base/log.js";
import { LEAVE, type WorkerMessage, type WorkerStart } from "./worker-protocol.js";

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

/** What the threads are to serve. */
export interface WorkerPoolOptions {
  /** How each builds its file system. */
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
  readonly #module: URL;
  readonly #aloneMs: number;
  #othersTimer: NodeJS.Timeout | undefined;
  #options: WorkerPoolOptions | undefined;
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
   * Starts the first thread. `module` is what each runs, and calls `serveWorker`. Until they serve they do not keep
   * the process.
   */
  constructor(module: URL, aloneMs = ALONE_MS) {
    this.#module = module;
    this.#aloneMs = aloneMs;
    this.ended = new Promise((resolve, reject) => {
      this.#resolveEnded = resolve;
      this.#rejectEnded = reject;
    });
    this.ended.catch(() => {});
    process.on("exit", endProcess);
    this.#begin();
  }

  /** Tells the threads what they are to serve. */
  prepare(options: WorkerPoolOptions): void {
    this.#options = options;
    for (const thread of this.#threads) thread.postMessage(options.recipe);
  }

  /**
   * Has the threads serve the mount, each as soon as it is ready; {@link prepare} them before. All but the first
   * start when that has served for a moment.
   */
  serve(start: WorkerStart, onMessage: (message: WorkerMessage) => void): void {
    this.#state = "serving";
    this.#service = { start, onMessage };
    for (const thread of this.#threads) this.#employ(thread, this.#service);
    for (const failure of this.#earlyFailures.splice(0)) this.#didEnd(failure);
  }

  /**
   * Has threads that do not serve yet leave; waits a moment for them, and for those that do and are about to end. Those
   * that stay do not keep the process.
   */
  async close(): Promise<void> {
    if (this.#state === "preparing") {
      this.#state = "abandoned";
      // Not terminated: the library behind the index waits for ever in a thread that is, while it opens one.
      for (const thread of this.#threads) thread.postMessage(LEAVE);
      for (const failure of this.#earlyFailures.splice(0)) this.#didEnd(failure);
    }
    await Promise.race([this.ended.catch(() => {}), sleep(CLOSE_WAIT_MS)]);
  }

  get #prepared(): WorkerPoolOptions {
    if (this.#options === undefined)
      throw new TypeError("Threads serve what they were prepared for");
    return this.#options;
  }

  #begin(): void {
    const thread = new Worker(this.#module, { resourceLimits: RESOURCE_LIMITS });
    thread.unref();
    if (this.#options !== undefined) thread.postMessage(this.#options.recipe);
    this.#threads.push(thread);
    this.#running++;
    endOf(thread).then(
      () => this.#didEnd(),
      (error: unknown) => this.#didEnd(error),
    );
    if (this.#service !== undefined) this.#employ(thread, this.#service);
  }

  #beginOthers(): void {
    const { count } = this.#prepared;
    while (this.#threads.length < count) this.#begin();
  }

  #employ(thread: Worker, { start, onMessage }: Service): void {
    thread.ref();
    thread.on("message", (message: WorkerMessage) => {
      onMessage(message);
      if (message.type !== "serving" || this.#othersTimer !== undefined) return;
      this.#othersTimer = setTimeout(() => this.#beginOthers(), this.#aloneMs).unref();
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
      const { log } = this.#prepared;
      log.error({}, `A thread that serves the mount has failed: ${messageOf(failure)}`);
      this.#beginOthers();
    }
    if (this.#running > 0) return;
    process.off("exit", endProcess);
    clearTimeout(this.#othersTimer);
    if (this.#isGood) this.#resolveEnded();
    else {
      const message = `No thread is left to serve the mount: ${messageOf(failure)}`;
      this.#rejectEnded(new StoreError("internal", message));
    }
  }
}

/**
 * Ends this process at once. Node's own exit ends its threads and waits for them. One that is blocked in the kernel,
 * reading for a detached mount with files still open, never comes back; nor may one that is just opening an index.
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
