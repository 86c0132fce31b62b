import { throwIfAborted, untilAborted } from "./abort.js";

/** A number of places that are taken and given back: whoever comes when all are taken waits, in order. */
export class Slots {
  #free: number;
  readonly #waiting: (() => void)[] = [];

  constructor(count: number) {
    this.#free = count;
  }

  /**
   * Waits for a place; disposing gives it back.
   *
   * @throws {StoreError} `aborted` when `signal` fires first.
   */
  async take(signal?: AbortSignal): Promise<Disposable> {
    throwIfAborted(signal);
    if (this.#free > 0) {
      this.#free--;
      return this.#place();
    }
    const turn = new Promise<void>((resolve) => this.#waiting.push(resolve));
    try {
      await untilAborted(turn, signal);
    } catch (error) {
      // Its turn may come all the same: then it is the next one's.
      turn.then(() => this.#giveBack());
      throw error;
    }
    return this.#place();
  }

  #place(): Disposable {
    let isTaken = true;
    return {
      [Symbol.dispose]: () => {
        if (isTaken) this.#giveBack();
        isTaken = false;
      },
    };
  }

  #giveBack(): void {
    const next = this.#waiting.shift();
    if (next === undefined) this.#free++;
    else next();
  }
}
