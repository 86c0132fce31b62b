/**
 * Concurrent requests for one thing are one fetch.
 */
import { throwIfAborted, untilAborted } from "./abort.js";

interface Flight<T> {
  readonly result: Promise<T>;
  readonly stop: AbortController;
  /** Callers that still want the result. */
  waiting: number;
}

/** Shares what is under way by key; nothing is kept once it is done. */
export class SingleFlight<T> {
  readonly #flights = new Map<string, Flight<T>>();

  /**
   * The result of the task under way for `key`, or of `task`, which is started when there is none. A
   * failure is everybody's who waits; whoever comes later starts anew. A caller whose `signal` fires stops
   * waiting alone; the signal that a task gets fires when nobody waits for it any more.
   *
   * @throws {StoreError} as `abortError` when `signal` has fired, else whatever the task throws.
   */
  async run(
    key: string,
    task: (signal: AbortSignal) => Promise<T>,
    signal?: AbortSignal,
  ): Promise<T> {
    throwIfAborted(signal);
    const flight = this.#flights.get(key) ?? this.#start(key, task);
    flight.waiting++;
    try {
      return await untilAborted(flight.result, signal);
    } finally {
      flight.waiting--;
      // One that has ended is forgotten already.
      if (flight.waiting === 0 && this.#flights.get(key) === flight) {
        // A task that is given up may take its time to end; it is no answer for those who come now.
        this.#flights.delete(key);
        flight.stop.abort();
      }
    }
  }

  #start(key: string, task: (signal: AbortSignal) => Promise<T>): Flight<T> {
    const stop = new AbortController();
    const flight: Flight<T> = { result: task(stop.signal), stop, waiting: 0 };
    this.#flights.set(key, flight);
    const forget = () => {
      if (this.#flights.get(key) === flight) this.#flights.delete(key);
    };
    flight.result.then(forget, forget);
    return flight;
  }
}
