/**
 * Pieces between a transfer that waits for nobody and one consumer that may be slow.
 */

/** Holds what arrives until it is taken, up to a bound; what comes after that is left out for good. */
export class ArrivingPieces {
  readonly #bytesMax: number;
  readonly #pieces: Uint8Array[] = [];
  #bytes = 0;
  #isComplete = true;
  #ended = false;
  #wake = (): void => {};

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
  }

  /** Whether nothing was left out so far. */
  get isComplete(): boolean {
    return this.#isComplete;
  }

  push(piece: Uint8Array): void {
    if (!this.#isComplete) return;
    if (this.#bytes > 0 && this.#bytes + piece.length > this.#bytesMax) {
      this.#isComplete = false;
    } else {
      this.#bytes += piece.length;
      this.#pieces.push(piece);
    }
    this.#wake();
  }

  /** No more will come. */
  end(): void {
    this.#ended = true;
    this.#wake();
  }

  /** The pieces in order, ending where the first was left out. For one consumer. */
  async *take(): AsyncGenerator<Uint8Array> {
    for (;;) {
      const piece = this.#pieces.shift();
      if (piece !== undefined) {
        this.#bytes -= piece.length;
        yield piece;
      } else if (this.#ended || !this.#isComplete) {
        return;
      } else {
        await new Promise<void>((resolve) => {
          this.#wake = resolve;
        });
      }
    }
  }
}
