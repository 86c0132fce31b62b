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
  readonly #running = new Set<Promise<unknown>>();
  #failure: { error: unknown } | undefined;

  constructor(limit: number) {
    this.#limit = limit;
  }

  /** Whether {@link ready} would wait, or throw. */
  get isBusy(): boolean {
    return this.#running.size >= this.#limit || this.#failure !== undefined;
  }

  /** Waits for a free place; throws the first failure there was. */
  async ready(): Promise<void> {
    while (this.#running.size >= this.#limit) await Promise.race(this.#running);
    if (this.#failure !== undefined) throw this.#failure.error;
  }

  /** Starts `task`. Its result may be awaited or left: a failure is remembered either way. */
  run<T>(task: () => Promise<T>): Promise<T> {
    const result = task();
    const done = result
      .then(
        () => {},
        (error: unknown) => {
          this.#failure ??= { error };
        },
      )
      .finally(() => this.#running.delete(done));
    this.#running.add(done);
    return result;
  }

  /** Waits for every task, whatever came of it. */
  async settle(): Promise<void> {
    while (this.#running.size > 0) await Promise.all(this.#running);
  }
}
