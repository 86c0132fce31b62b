/**
 * A second thread that makes files of a restore. Making a small one is three calls into the kernel, and little else:
 * two threads make them in two thirds of the time.
 *
 * Neither thread gets around to its events while it makes files, so what there is to do is told through shared memory,
 * of which both know the state.
 */
import {
  MessageChannel,
  type MessagePort,
  receiveMessageOnPort,
  Worker,
  workerData,
} from "node:worker_threads";
import { errnoOf, messageOf, StoreError } from "../../base/errors.js";
import { FileFailure, makeFiles, type NewFile } from "./restore-files.js";

/** How many bytes of contents are given at once. */
export const BATCH_BYTES = 512 * 1024;

const STARTING = 0;
const IDLE = 1;
const BUSY = 2;
const FAILED = 3;
const LEAVING = 4;

interface Shared {
  readonly state: Int32Array;
  readonly contents: readonly [Uint8Array, Uint8Array];
  readonly port: MessagePort;
}

interface Task {
  readonly files: readonly NewFile[];
  /** Which piece of memory their contents are in. */
  readonly memory: 0 | 1;
}

interface Failure {
  readonly index: number;
  readonly code: string | undefined;
  readonly message: string;
}

/** The thread, as the one that restores sees it. */
export class RestoreHelper {
  /** Memory for contents: one piece is filled while the helper may have the other. */
  readonly contents: readonly [Uint8Array, Uint8Array];
  readonly #state: Int32Array;
  readonly #port: MessagePort;
  readonly #ended: Promise<unknown>;

  /** @param module the program of the thread, which calls {@link serveRestore} */
  constructor(module: URL) {
    const { port1, port2 } = new MessageChannel();
    this.#port = port1;
    this.#state = new Int32Array(new SharedArrayBuffer(4));
    const memory = () => new Uint8Array(new SharedArrayBuffer(BATCH_BYTES));
    this.contents = [memory(), memory()];
    const shared: Shared = { state: this.#state, contents: this.contents, port: port2 };
    const thread = new Worker(module, { workerData: shared, transferList: [port2] });
    this.#ended = new Promise((resolve) => {
      thread.once("error", resolve);
      thread.once("exit", resolve);
    });
  }

  /**
   * Whether it has nothing to do. Until it has started it is busy.
   *
   * @throws {FileFailure} once it could not make a file.
   */
  get isIdle(): boolean {
    const state = Atomics.load(this.#state, 0);
    if (state === FAILED) this.#fail();
    return state === IDLE;
  }

  /** Has `files` made, whose contents are in {@link contents}; it must be idle. */
  give(files: readonly NewFile[], memory: 0 | 1): void {
    const task: Task = { files, memory };
    this.#port.postMessage(task);
    this.#set(BUSY);
  }

  /**
   * Waits until it has made what it was given.
   *
   * @throws {FileFailure} when it could not. @throws {StoreError} `internal` when it ended.
   */
  async settle(): Promise<void> {
    let isEnded = false;
    while (Atomics.load(this.#state, 0) === BUSY) {
      // One that fails ends, too: only one that ends while it is busy has not told why.
      if (isEnded) throw new StoreError("internal", "A thread that makes files has ended");
      const change = Atomics.waitAsync(this.#state, 0, BUSY);
      isEnded = await Promise.race([
        Promise.resolve(change.value).then(() => false),
        this.#ended.then(() => true),
      ]);
    }
    if (Atomics.load(this.#state, 0) === FAILED) this.#fail();
  }

  /** Lets go of the thread, which is not busy. */
  end(): void {
    this.#set(LEAVING);
    this.#port.close();
  }

  #set(state: number): void {
    Atomics.store(this.#state, 0, state);
    Atomics.notify(this.#state, 0);
  }

  #fail(): never {
    const { index, code, message } = take<Failure>(this.#port);
    throw new FileFailure(index, Object.assign(new Error(message), { code }));
  }
}

/** The program of the thread: makes files until it is told to leave, or one cannot be made. */
export function serveRestore(): void {
  const { state, contents, port } = workerData as Shared;
  if (Atomics.compareExchange(state, 0, STARTING, IDLE) === LEAVING) return;
  for (;;) {
    Atomics.wait(state, 0, IDLE);
    if (Atomics.load(state, 0) === LEAVING) return;
    const { files, memory } = take<Task>(port);
    const failure = make(files, contents[memory]);
    if (failure !== undefined) port.postMessage(failure);
    Atomics.store(state, 0, failure === undefined ? IDLE : FAILED);
    Atomics.notify(state, 0);
    if (failure !== undefined) return;
  }
}

function make(files: readonly NewFile[], contents: Uint8Array): Failure | undefined {
  try {
    makeFiles(files, contents);
    return undefined;
  } catch (error) {
    const { index, cause } = error as FileFailure;
    return { index, code: errnoOf(cause), message: messageOf(cause) };
  }
}

/** What the other side has sent, which is there: the state says so. */
function take<T>(port: MessagePort): T {
  return (receiveMessageOnPort(port) as { message: T }).message;
}
