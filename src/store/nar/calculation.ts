/**
 * Size and hash of NARs, remembered.
 */
import { LRUCache } from "lru-cache";
import { atMost } from "../../base/at-most.js";
import { equalBytes } from "../../base/bytes.js";
import { isStoreError, StoreError } from "../../base/errors.js";
import type { CallOptions } from "../../castore/blob/service.js";
import type { Node } from "../../castore/node.js";
import { type NarHash, NarHasher } from "./hasher.js";
import type { NarRecords } from "./records.js";
import { type RenderServices, renderNar } from "./render.js";

const REMEMBERED_MAX = 10_000;

/** One calculation and those who wait for it. */
interface Running {
  readonly result: Promise<NarHash>;
  readonly abort: AbortController;
  waiting: number;
}

/**
 * Calculates from the store's content. What is asked for twice at once is calculated once; what was calculated
 * before is remembered: in memory, and in `records` for as long as these last.
 */
export class NarCalculator {
  readonly #services: RenderServices;
  readonly #records: NarRecords | undefined;
  readonly #known = new LRUCache<string, NarHash>(atMost(REMEMBERED_MAX));
  readonly #running = new Map<string, Running>();

  constructor(services: RenderServices, records?: NarRecords) {
    this.#services = services;
    this.#records = records;
  }

  /**
   * The NAR of `node`, in length and hash.
   *
   * @throws {StoreError} as `renderNar`; `aborted` when the caller's signal fires.
   */
  async calculate(node: Node, { signal }: CallOptions = {}): Promise<NarHash> {
    const key = keyOf(node);
    const known = this.#known.get(key);
    if (known !== undefined) return known;
    const running = this.#running.get(key) ?? this.#start(key, node);
    running.waiting++;
    try {
      return await orAborted(running.result, signal);
    } finally {
      running.waiting--;
      if (running.waiting === 0) {
        running.abort.abort(aborted());
        if (this.#running.get(key) === running) this.#running.delete(key);
      }
    }
  }

  /** Whether the NAR of `node` is the one that is stated. @throws {StoreError} as {@link calculate}. */
  async bearsOut(
    { node, narSha256, narSize }: NarHash & { readonly node: Node },
    options?: CallOptions,
  ): Promise<boolean> {
    const nar = await this.calculate(node, options);
    return nar.narSize === narSize && equalBytes(nar.narSha256, narSha256);
  }

  #start(key: string, node: Node): Running {
    const abort = new AbortController();
    const result = this.#find(node, abort.signal).then((hash) => {
      this.#known.set(key, hash);
      return hash;
    });
    const running: Running = { result, abort, waiting: 0 };
    this.#running.set(key, running);
    return running;
  }

  async #find(node: Node, signal: AbortSignal): Promise<NarHash> {
    const recorded = await this.#recorded(node);
    if (recorded !== undefined) return recorded;
    const hash = await this.#render(node, signal);
    try {
      await this.#records?.remember(node, hash);
    } catch (error) {
      // It is right though it cannot be kept: on a full disk it is calculated again the next time.
      if (!isStoreError(error, "unavailable")) throw error;
    }
    return hash;
  }

  async #recorded(node: Node): Promise<NarHash | undefined> {
    try {
      return await this.#records?.hash(node);
    } catch (error) {
      // What is calculated takes the place of a damaged record.
      if (isStoreError(error, "corrupt")) return undefined;
      throw error;
    }
  }

  async #render(node: Node, signal: AbortSignal): Promise<NarHash> {
    const hasher = new NarHasher();
    for await (const piece of renderNar(node, this.#services, { signal, transient: true })) {
      signal.throwIfAborted();
      hasher.update(piece);
    }
    return hasher.finish();
  }
}

/** Everything of a node that its NAR depends on, and what it states about its content. */
function keyOf(node: Node): string {
  switch (node.type) {
    case "directory":
      return `d${node.digest.hex}`;
    case "file":
      return `${node.executable ? "x" : "f"}${node.digest.hex}:${node.size}`;
    case "symlink":
      return `s${Buffer.from(node.target).toString("hex")}`;
  }
}

/** `result`, unless `signal` fires first. */
async function orAborted<T>(result: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return await result;
  let onAbort = (): void => {};
  const fired = new Promise<never>((_resolve, reject) => {
    onAbort = () => reject(aborted());
    if (signal.aborted) onAbort();
    else signal.addEventListener("abort", onAbort);
  });
  try {
    return await Promise.race([result, fired]);
  } finally {
    signal.removeEventListener("abort", onAbort);
    // Whoever is left alone with a calculation that is given up does not hear of it.
    result.catch(() => {});
  }
}

function aborted(): StoreError {
  return new StoreError("aborted", "The calculation of a NAR was given up");
}
