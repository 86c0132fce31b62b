import { setMaxListeners } from "node:events";
import { isStoreError, StoreError } from "../../base/errors.js";
import type { CallOptions } from "../../castore/blob/service.js";
import { staggered } from "./staggered.js";
import type { Offer, Upstream } from "./upstream.js";

/** How long one upstream is waited for before the next one is asked too. */
const PATIENCE_MS = 500;

/**
 * A near one is asked in advance only then: until its answers have been read, which takes longer than waiting for one of
 * them, whoever looks at a store path may have all that it wants.
 */
const NEAR_AHEAD_MS = 100;

/** What an upstream answered: that it lacks the path, with neither. */
export interface UpstreamAnswer {
  readonly offer?: Offer | undefined;
  readonly failure?: StoreError;
}

export interface UpstreamsOptions {
  /** How long one is waited for before the next one is asked too. */
  readonly patienceMs?: number;
  /** Nobody is asked. What they have cannot be told then, so that is a failure, not an absence. */
  readonly offline?: boolean;
}

/** Several binary caches, of which the one with the lowest priority that has something gives it. */
export class Upstreams {
  readonly #upstreams: readonly Upstream[];
  readonly #patienceMs: number;
  readonly #offline: boolean;
  readonly #closing = new AbortController();

  constructor(upstreams: readonly Upstream[], options: UpstreamsOptions = {}) {
    this.#upstreams = upstreams;
    this.#patienceMs = options.patienceMs ?? PATIENCE_MS;
    this.#offline = options.offline ?? false;
    // Every question under way listens.
    setMaxListeners(0, this.#closing.signal);
  }

  /**
   * What they say about the store path with this hash (20 bytes). An upstream that is slow, or fails, keeps
   * nobody waiting for long: the next one is asked meanwhile. Stop when you have what you want.
   */
  async *find(hash: Uint8Array, { signal }: CallOptions = {}): AsyncGenerator<UpstreamAnswer> {
    if (this.#offline) {
      yield {
        failure: new StoreError("unavailable", "it is not in the store, and --offline is set"),
      };
      return;
    }
    await this.#learnPriorities();
    const ask = (upstream: Upstream) => this.#ask(upstream, hash);
    yield* staggered(this.#inOrder(), this.#patienceMs, ask, signal);
  }

  /**
   * Asks where `offer` is from about all it refers to, beside the caller: whoever looks at one store path
   * looks at these next. Only what they say is fetched.
   */
  lookAhead({ narinfo, upstream }: Offer): void {
    const { signal } = this.#closing;
    const ask = () => {
      for (const reference of narinfo.references) {
        if (reference.equals(narinfo.storePath)) continue;
        // Whoever wants it asks again, and is told.
        upstream.find(reference.hash, { signal }).catch(() => {});
      }
    };
    if (upstream.isNear) setTimeout(ask, NEAR_AHEAD_MS).unref();
    else ask();
  }

  /** Connects beside the caller, who expects questions soon. Whoever asks is told of what fails. */
  meet(): void {
    if (this.#offline) return;
    const { signal } = this.#closing;
    for (const upstream of this.#upstreams) upstream.meet({ signal }).catch(() => {});
  }

  /** Ends the questions under way. */
  close(): void {
    this.#closing.abort();
    for (const upstream of this.#upstreams) upstream.close();
  }

  /**
   * Goes on when the caller has what it wants from another one: what is learnt about an upstream that takes its
   * time saves the next caller from waiting for it.
   */
  async #ask(upstream: Upstream, hash: Uint8Array): Promise<UpstreamAnswer> {
    const { signal } = this.#closing;
    try {
      // One that is for another store says so here.
      await upstream.priority({ signal });
      return { offer: await upstream.find(hash, { signal }) };
    } catch (error) {
      if (isStoreError(error)) return { failure: error };
      throw error;
    }
  }

  /** Waits for what is not known yet, but not for long. */
  async #learnPriorities(): Promise<void> {
    const unknown = this.#upstreams.filter(({ knownPriority }) => knownPriority === undefined);
    if (unknown.length === 0 || this.#upstreams.length === 1) return;
    const { signal } = this.#closing;
    const asking = Promise.allSettled(unknown.map((upstream) => upstream.priority({ signal })));
    let timer: NodeJS.Timeout | undefined;
    const impatience = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, this.#patienceMs);
    });
    await Promise.race([asking, impatience]).finally(() => clearTimeout(timer));
  }

  /** By priority, in the order given where that is equal; last, whose priority is not known. */
  #inOrder(): readonly Upstream[] {
    const places = this.#upstreams.map((upstream) => ({
      upstream,
      priority: upstream.knownPriority ?? Number.MAX_SAFE_INTEGER,
    }));
    return places.sort((a, b) => a.priority - b.priority).map(({ upstream }) => upstream);
  }
}
