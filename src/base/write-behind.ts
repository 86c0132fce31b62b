/**
 * Values on their way to where they will be kept, which can be had meanwhile.
 */

export interface WriteBehindOptions {
  /** How much may be on its way; `add` waits for room. */
  readonly bytesMax: number;
  /** How long writes are gathered before they start together, so that they can share a commit. */
  readonly delayMs: number;
  /** Told why a value was not kept. */
  readonly onFailure: (error: unknown) => void;
}

export class WriteBehind<T> {
  readonly #options: WriteBehindOptions;
  readonly #values = new Map<string, T>();
  readonly #writes = new Set<Promise<void>>();
  #waiting: (() => void)[] = [];
  #timer: NodeJS.Timeout | undefined;
  #bytes = 0;

  constructor(options: WriteBehindOptions) {
    this.#options = options;
  }

  /** The value for `key` while it is on its way, else `undefined`. */
  get(key: string): T | undefined {
    return this.#values.get(key);
  }

  /**
   * Sees to it that `write` runs soon, which keeps `value`. Resolves when there is room for more, not when
   * it is kept. Does nothing when a value for `key` is on its way.
   */
  async add(key: string, value: T, bytes: number, write: () => Promise<unknown>): Promise<void> {
    if (this.#values.has(key)) return;
    this.#values.set(key, value);
    this.#bytes += bytes;
    this.#waiting.push(() => this.#start(key, bytes, write));
    this.#timer ??= setTimeout(() => this.#startAll(), this.#options.delayMs);
    while (this.#bytes > this.#options.bytesMax) {
      this.#startAll();
      await Promise.race(this.#writes);
    }
  }

  /** Waits until nothing is on its way any more. */
  async settle(): Promise<void> {
    for (this.#startAll(); this.#writes.size > 0; this.#startAll()) await Promise.all(this.#writes);
  }

  #startAll(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    for (const start of this.#waiting.splice(0)) start();
  }

  #start(key: string, bytes: number, write: () => Promise<unknown>): void {
    const writing = write()
      .then(() => {}, this.#options.onFailure)
      .finally(() => {
        this.#values.delete(key);
        this.#writes.delete(writing);
        this.#bytes -= bytes;
      });
    this.#writes.add(writing);
  }
}
