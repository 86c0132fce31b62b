/** What a source gives, and how soon. To be read once. */
export class TimedPieces implements AsyncIterable<Uint8Array> {
  readonly #source: AsyncIterable<Uint8Array>;
  #bytes = 0;
  #waitedMs = 0;

  constructor(source: AsyncIterable<Uint8Array>) {
    this.#source = source;
  }

  /** While somebody waited for it: what the consumer takes does not count. */
  get bytesPerSecond(): number {
    return (this.#bytes / this.#waitedMs) * 1000;
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array> {
    let askedMs = performance.now();
    for await (const piece of this.#source) {
      this.#waitedMs += performance.now() - askedMs;
      this.#bytes += piece.length;
      yield piece;
      askedMs = performance.now();
    }
  }
}
