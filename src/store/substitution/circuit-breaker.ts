import { isStoreError, StoreError } from "../../base/errors.js";

/** How long a server that failed is left alone, at first; doubled with each failure after that. */
const PAUSE_MS = 10_000;
const PAUSE_MS_MAX = 120_000;

export interface CircuitBreakerOptions {
  /** What is left alone, for messages. */
  readonly name: string;
  readonly pauseMs?: number;
  readonly pauseMsMax?: number;
  /** Milliseconds from any point on. */
  readonly now?: () => number;
  /** Told when it is to be left alone from now on. */
  readonly onOpen?: (pauseMs: number, error: StoreError) => void;
}

/**
 * Leaves a server alone that was `unavailable`, so that waiting for it costs once and not each time. After a
 * while one task may try again, whose outcome tells for all.
 */
export class CircuitBreaker {
  readonly #options: CircuitBreakerOptions;
  readonly #now: () => number;
  #failures = 0;
  #openUntilMs = Number.NEGATIVE_INFINITY;
  #isProbing = false;
  #reason = "";

  constructor(options: CircuitBreakerOptions) {
    this.#options = options;
    this.#now = options.now ?? (() => performance.now());
  }

  /**
   * Runs `task`.
   *
   * @throws {StoreError} `unavailable` without running it, while the server is left alone.
   */
  async run<T>(task: () => Promise<T>): Promise<T> {
    const isProbe = this.#failures > 0;
    if (isProbe && (this.#isProbing || this.#now() < this.#openUntilMs)) {
      throw new StoreError(
        "unavailable",
        `${this.#options.name} is not asked for a while: ${this.#reason}`,
      );
    }
    this.#isProbing = isProbe;
    try {
      const result = await task();
      this.#failures = 0;
      return result;
    } catch (error) {
      if (isStoreError(error, "unavailable")) this.failed(error);
      // Whatever else it is, the server has answered.
      else if (isStoreError(error) && error.code !== "aborted") this.#failures = 0;
      throw error;
    } finally {
      if (isProbe) this.#isProbing = false;
    }
  }

  /** Told what went wrong outside of {@link run}; only `unavailable` counts. */
  failed(error: unknown): void {
    if (!isStoreError(error, "unavailable")) return;
    const { pauseMs = PAUSE_MS, pauseMsMax = PAUSE_MS_MAX } = this.#options;
    const pause = Math.min(pauseMs * 2 ** this.#failures, pauseMsMax);
    // Tasks that were under way together are one failure.
    if (this.#now() < this.#openUntilMs) return;
    this.#failures++;
    this.#reason = error.message;
    this.#openUntilMs = this.#now() + pause;
    this.#options.onOpen?.(pause, error);
  }
}
