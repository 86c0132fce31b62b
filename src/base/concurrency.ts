/**
 * Runs `map` over `source` with at most `limit` calls under way and yields the results in the order of
 * the source: a look-ahead window. The first failure stops the pulling, waits for the calls under way,
 * and is thrown.
 */
export async function* mapOrdered<T, R>(
  source: AsyncIterable<T> | Iterable<T>,
  limit: number,
  map: (item: T) => Promise<R>,
): AsyncGenerator<R> {
  const window: Promise<R>[] = [];
  try {
    for await (const item of source) {
      const call = map(item);
      // A call further back in the window may fail first; it is reported when its turn comes.
      call.catch(() => {});
      window.push(call);
      if (window.length >= limit) yield await (window.shift() as Promise<R>);
    }
    while (window.length > 0) yield await (window.shift() as Promise<R>);
  } finally {
    await Promise.allSettled(window);
  }
}

/**
 * Tasks that run beside their caller, at most `limit` at once as long as each is started after
 * {@link ready}.
 */
export class TaskPool {
  readonly #limit: number;
  #running = 0;
  /** Who waits for one of them to end. */
  #waiting: (() => void)[] = [];
  #failure: { error: unknown } | undefined;

  constructor(limit: number) {
    this.#limit = limit;
  }

  /** Whether {@link ready} would wait, or throw. */
  get isBusy(): boolean {
    return this.#running >= this.#limit || this.#failure !== undefined;
  }

  /** Waits for a free place; throws the first failure there was. */
  async ready(): Promise<void> {
    while (this.#running >= this.#limit) await this.#oneEnds();
    if (this.#failure !== undefined) throw this.#failure.error;
  }

  /** Starts `task`. Its result may be awaited or left: a failure is remembered either way. */
  run<T>(task: () => Promise<T>): Promise<T> {
    const result = task();
    this.#running++;
    result.then(
      () => this.#end(),
      (error: unknown) => {
        this.#failure ??= { error };
        this.#end();
      },
    );
    return result;
  }

  /** Waits for every task, whatever came of it. */
  async settle(): Promise<void> {
    while (this.#running > 0) await this.#oneEnds();
  }

  #oneEnds(): Promise<void> {
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  #end(): void {
    this.#running--;
    if (this.#waiting.length === 0) return;
    for (const goOn of this.#waiting.splice(0)) goOn();
  }
}
