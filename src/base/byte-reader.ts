/**
 * Bytes that arrive in chunks of any size, for parsers that ask for a certain number of them.
 */
import { letGo } from "./let-go.js";

const NONE = new Uint8Array(0);

/**
 * Reads a source from its beginning to its end, without copying more than what lies across the border of two
 * chunks. Never holds more than a chunk and what was asked for with {@link fill}. One call at a time.
 */
export class ByteReader implements AsyncDisposable {
  readonly #iterator: AsyncIterator<Uint8Array> | Iterator<Uint8Array>;
  #head: Uint8Array = NONE;
  #at = 0;
  /** What follows the head: the rest of a chunk whose beginning was needed to complete it. */
  #next: Uint8Array = NONE;
  #headEnd = 0;
  #pulling = false;
  #ended = false;

  constructor(source: AsyncIterable<Uint8Array> | Iterable<Uint8Array>) {
    this.#iterator =
      Symbol.asyncIterator in source ? source[Symbol.asyncIterator]() : source[Symbol.iterator]();
  }

  /** How many bytes have been taken: the offset of the next one. */
  get position(): number {
    return this.#headEnd - this.buffered;
  }

  /** How many bytes lie one after the other at {@link head}, from {@link at} on. */
  get buffered(): number {
    return this.#head.length - this.#at;
  }

  /** The memory of the next bytes; they start at {@link at}. It belongs to the source. */
  get head(): Uint8Array {
    return this.#head;
  }

  get at(): number {
    return this.#at;
  }

  /**
   * Waits until `count` bytes are buffered; false when the source ends before that. What it holds then is
   * buffered.
   */
  async fill(count: number): Promise<boolean> {
    if (this.buffered >= count) return true;
    const parts: Uint8Array[] = [this.#head.subarray(this.#at)];
    let length = this.buffered;
    let last = this.#next;
    this.#next = NONE;
    for (;;) {
      if (last.length > 0) {
        parts.push(last);
        length += last.length;
      }
      if (length >= count) break;
      const chunk = await this.#pull();
      if (chunk === undefined) break;
      last = chunk;
    }
    this.#join(parts, length, count);
    return length >= count;
  }

  /** The next bytes, at least one and at most `max`, as they lie in memory; none when none are buffered. */
  take(max: number): Uint8Array {
    const taken = this.#head.subarray(this.#at, this.#at + max);
    this.#at += taken.length;
    return taken;
  }

  /** Passes over `count` bytes that are buffered. */
  advance(count: number): void {
    this.#at += count;
  }

  /** Lets go of the source, which need not be at its end. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#ended) return;
    this.#ended = true;
    await letGo(this.#iterator, this.#pulling);
  }

  async #pull(): Promise<Uint8Array | undefined> {
    if (this.#ended) return undefined;
    this.#pulling = true;
    try {
      const { done, value } = await this.#iterator.next();
      if (!done) return value;
      this.#ended = true;
      return undefined;
    } finally {
      this.#pulling = false;
    }
  }

  /** Makes `parts` the head; of the last one only as much as it takes for `count` bytes. */
  #join(parts: Uint8Array[], length: number, count: number): void {
    const bytesBefore = this.position;
    const filled = parts.filter((part) => part.length > 0);
    const [only = NONE] = filled;
    if (filled.length > 1 && length > count) {
      const last = filled.pop() as Uint8Array;
      const taken = last.length - (length - count);
      filled.push(last.subarray(0, taken));
      this.#next = last.subarray(taken);
    }
    this.#head = filled.length > 1 ? Buffer.concat(filled) : only;
    this.#at = 0;
    this.#headEnd = bytesBefore + this.#head.length;
  }
}
