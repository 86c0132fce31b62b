/**
 * Asking several who may all know the answer, some of which may take their time.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { throwIfAborted, untilAborted } from "../../base/abort.js";

/**
 * Asks the first of `items`, and the next one whenever the caller wants more or `patienceMs` have passed
 * without an answer. Yields answers as they come; those that come when the caller has enough are lost. `ask`
 * does not throw.
 *
 * @throws {StoreError} as `abortError` when `signal` fires.
 */
export async function* staggered<T, R>(
  items: readonly T[],
  patienceMs: number,
  ask: (item: T) => Promise<R>,
  signal: AbortSignal | undefined,
): AsyncGenerator<R> {
  const running = new Set<Promise<Answer<R>>>();
  let next = 0;
  const askNext = (): void => {
    if (next === items.length) return;
    const asked: Promise<Answer<R>> = ask(items[next++] as T).then((answer) => ({ asked, answer }));
    running.add(asked);
  };
  throwIfAborted(signal);
  for (askNext(); running.size > 0; askNext()) {
    const impatience = new AbortController();
    const racing: Promise<Answer<R> | undefined>[] = [...running];
    if (next < items.length) racing.push(passed(patienceMs, impatience.signal));
    const first = await untilAborted(Promise.race(racing), signal).finally(() =>
      impatience.abort(),
    );
    if (first === undefined) continue;
    running.delete(first.asked);
    yield first.answer;
  }
}

interface Answer<R> {
  readonly asked: Promise<Answer<R>>;
  readonly answer: R;
}

/** Resolves when the time has passed, or `signal` fires. */
async function passed(timeMs: number, signal: AbortSignal): Promise<undefined> {
  await sleep(timeMs, undefined, { signal }).catch(() => {});
}
