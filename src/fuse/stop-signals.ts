/**
 * Signals that ask a mount to end: the first to end in good order, a second to end at once.
 */
import type { EventEmitter } from "node:events";

/** SIGHUP too: a closed terminal must not leave a dead mount behind. */
const SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP"];

/** npm and make pass on the Ctrl-C that the terminal has sent us already: that is one request. */
const REPEAT_MS = 200;

/** Counts the requests from when it is made until it is closed; meanwhile no signal ends the process. */
export class StopSignals {
  readonly #source: EventEmitter;
  readonly #waiting = new Map<number, () => void>();
  #count = 0;
  #lastMs = Number.NEGATIVE_INFINITY;

  /** `source` emits the signals by their names: `process`, or a stand-in. */
  constructor(source: EventEmitter = process) {
    this.#source = source;
    for (const signal of SIGNALS) source.on(signal, this.#onSignal);
  }

  /** How many requests have come. */
  get count(): number {
    return this.#count;
  }

  /** Resolves when the `nth` request has come, counted from 1. One waiter for each. */
  wait(nth: number): Promise<void> {
    if (this.#count >= nth) return Promise.resolve();
    return new Promise((resolve) => this.#waiting.set(nth, resolve));
  }

  close(): void {
    for (const signal of SIGNALS) this.#source.off(signal, this.#onSignal);
  }

  readonly #onSignal = (): void => {
    const now = performance.now();
    if (now - this.#lastMs < REPEAT_MS) return;
    this.#lastMs = now;
    this.#count++;
    this.#waiting.get(this.#count)?.();
  };
}
