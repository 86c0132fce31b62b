/**
 * A lock between threads, kept in one word of shared memory (a futex with three states). Waiting blocks the
 * thread, so it is for moments only.
 */
const FREE = 0;
const HELD = 1;
/** Held, and others may be waiting. */
const CONTENDED = 2;

/** Runs `task` while no other thread is in here with the same word, `words[index]`, at first 0. */
export function withLock<T>(words: Int32Array, index: number, task: () => T): T {
  if (Atomics.compareExchange(words, index, FREE, HELD) !== FREE) {
    while (Atomics.exchange(words, index, CONTENDED) !== FREE) {
      Atomics.wait(words, index, CONTENDED);
    }
  }
  try {
    return task();
  } finally {
    if (Atomics.exchange(words, index, FREE) === CONTENDED) Atomics.notify(words, index, 1);
  }
}
