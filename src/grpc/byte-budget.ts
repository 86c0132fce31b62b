/**
 * Memory that calls share, so that many at once cannot take more than was set aside.
 */
import { StoreError } from "../base/errors.js";

/** What one call has taken; disposing gives it back. */
export interface BudgetShare extends Disposable {
  /** @throws {StoreError} `limit-exceeded` when this much is not left. */
  take(bytes: number): void;
}

export class ByteBudget {
  readonly #perCallBytes: number;
  #freeBytes: number;

  /** `perCallBytes` for one call at most, `totalBytes` for all together. */
  constructor({ perCallBytes, totalBytes }: { perCallBytes: number; totalBytes: number }) {
    this.#perCallBytes = perCallBytes;
    this.#freeBytes = totalBytes;
  }

  open(): BudgetShare {
    let takenBytes = 0;
    return {
      take: (bytes) => {
        if (takenBytes + bytes > this.#perCallBytes) {
          throw new StoreError(
            "limit-exceeded",
            `The upload is too large: at most ${this.#perCallBytes} bytes are taken in one call`,
          );
        }
        if (bytes > this.#freeBytes) {
          throw new StoreError(
            "limit-exceeded",
            "Too many large uploads at once: try again when others have ended",
          );
        }
        takenBytes += bytes;
        this.#freeBytes -= bytes;
      },
      [Symbol.dispose]: () => {
        this.#freeBytes += takenBytes;
        takenBytes = 0;
      },
    };
  }
}
