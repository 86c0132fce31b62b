/**
 * Serving a mount on the event loop, from its first moment on and until threads are there. Those take nearly as long to
 * get ready as the mount took to come about, and would hold it up if they did so beside it.
 */
import { read as readCallback } from "node:fs";
import { promisify } from "node:util";
import { type DeviceLoopOptions, isConnectionEnd, RequestServer } from "./device-loop.js";
import { endAtOnce } from "./end-at-once.js";

/** When threads are wanted: after so many requests, which is more than a program that starts takes, or so long. */
export interface EarlyLimits {
  readonly requests: number;
  readonly ms: number;
}

const LIMITS: EarlyLimits = { requests: 64, ms: 1000 };

const read = promisify(readCallback);

export class EarlyServer {
  /** Resolves when there is nothing more to serve here; rejects when the device cannot be read. */
  readonly done: Promise<"connection-ended" | "left">;
  readonly #server: RequestServer;
  readonly #onBusy: () => void;
  readonly #timer: NodeJS.Timeout;
  #restRequests: number;
  #hasLeft = false;

  /** Serves from now on. Calls `onBusy` once, when the first of `limits` is reached. */
  constructor(options: DeviceLoopOptions, onBusy: () => void, limits = LIMITS) {
    this.#server = new RequestServer(options);
    this.#onBusy = onBusy;
    this.#restRequests = limits.requests;
    this.#timer = setTimeout(() => this.#didReachLimit(), limits.ms);
    this.done = this.#serve(options.device);
    this.done.catch(() => {});
  }

  /** Lets others serve from now on, but for the request that is being waited for. */
  leave(): void {
    this.#hasLeft = true;
  }

  async #serve(device: number): Promise<"connection-ended" | "left"> {
    // A thread of Node's that reads for us cannot be ended either.
    const endAsAlways = endAtOnce();
    try {
      while (!this.#hasLeft) {
        if (this.#restRequests-- === 0) this.#didReachLimit();
        const length = await this.#readRequest(device);
        if (length === undefined) return "connection-ended";
        this.#server.answer(length);
      }
      return "left";
    } finally {
      clearTimeout(this.#timer);
      endAsAlways();
    }
  }

  async #readRequest(device: number): Promise<number | undefined> {
    const { bytes } = this.#server;
    for (;;) {
      try {
        return (await read(device, bytes, 0, bytes.length, null)).bytesRead;
      } catch (error) {
        if (isConnectionEnd(error)) return undefined;
      }
    }
  }

  #didReachLimit(): void {
    clearTimeout(this.#timer);
    this.#restRequests = Number.POSITIVE_INFINITY;
    this.#onBusy();
  }
}
