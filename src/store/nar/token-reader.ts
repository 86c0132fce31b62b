/**
 * The strings of a NAR, one after the other, out of chunks of any size.
 */
import { ByteReader } from "../../base/byte-reader.js";
import { copyBytes, quoteBytes } from "../../base/bytes.js";
import { isStoreError, StoreError } from "../../base/errors.js";
import { framedBytes, LENGTH_BYTES, type Phrase, paddingBytes } from "./framing.js";

/** More bytes are needed first: see {@link TokenReader.more}. */
export const MORE = Symbol("more");

/** Enough of a string to show what stands in the place of a keyword. */
const SHOWN_BYTES = 16;

interface Mismatch {
  /** Where the string starts that is not the expected one. */
  readonly offset: number;
  readonly expected: readonly string[];
}

/**
 * Reads what it is told to expect. Each call consumes all of what it reads, or nothing and returns
 * {@link MORE}; it looks at nothing that {@link more} would not have brought, so the cuts between chunks make
 * no difference. Errors are `invalid-argument` and name an offset in bytes.
 */
export class TokenReader implements AsyncDisposable {
  readonly #input: ByteReader;
  readonly #bytesMax: number;
  #wanted = 0;
  #ended = false;
  #mismatch: Mismatch | undefined;

  /** Refuses an input of more than `bytesMax` bytes. */
  constructor(source: AsyncIterable<Uint8Array> | Iterable<Uint8Array>, bytesMax: number) {
    this.#input = new ByteReader(source);
    this.#bytesMax = bytesMax;
  }

  /** The offset of the next byte. */
  get position(): number {
    return this.#input.position;
  }

  /**
   * Waits for the bytes that the last call lacked.
   *
   * @throws {StoreError} when the input ends before, or what the last call met is not what it expected.
   */
  async more(): Promise<void> {
    if (this.#mismatch !== undefined) throw await this.#explain(this.#mismatch);
    if (await this.#input.fill(this.#wanted)) return;
    // What is left may show that something else is wrong.
    const isNews = !this.#ended;
    this.#ended = true;
    if (isNews) return;
    throw this.invalid("the input ends within the NAR", this.position + this.#input.buffered);
  }

  /** The one of `phrases` that comes next. None of them is the beginning of another. */
  match(phrases: readonly Phrase[]): Phrase | typeof MORE {
    let wanted = Number.POSITIVE_INFINITY;
    for (const phrase of phrases) {
      const { length } = phrase.bytes;
      const common = this.#commonBytes(phrase.bytes);
      if (common === length) {
        this.#consume(length);
        return phrase;
      }
      if (common === this.#input.buffered) wanted = Math.min(wanted, length);
    }
    if (wanted === Number.POSITIVE_INFINITY) this.#mismatch = this.#mismatchOf(phrases);
    return this.#lack(wanted);
  }

  /**
   * A string of at most `bytesMax` bytes that `validate` lets pass; a copy. Nothing is waited for, or
   * allocated, before its length is known to be allowed.
   */
  string(
    what: string,
    bytesMax: number,
    validate: (bytes: Uint8Array) => void,
  ): Uint8Array | typeof MORE {
    const length = this.#peekLength();
    if (length === MORE) return MORE;
    if (length > bytesMax) {
      throw this.invalid(`a ${what} of ${length} bytes, at most ${bytesMax} are allowed`);
    }
    const size = Number(length);
    const framed = framedBytes(size);
    if (this.#input.buffered < framed) return this.#lack(framed);
    const { head, at } = this.#input;
    const start = at + LENGTH_BYTES;
    const bytes = copyBytes(head.subarray(start, start + size));
    try {
      validate(bytes);
    } catch (error) {
      throw isStoreError(error) ? this.invalid(error.message) : error;
    }
    this.#checkZeros(LENGTH_BYTES + size, framed);
    this.#consume(framed);
    return bytes;
  }

  /** The length of contents that come next. */
  length(): bigint | typeof MORE {
    const length = this.#peekLength();
    if (length !== MORE) this.#consume(LENGTH_BYTES);
    return length;
  }

  /** The zeros that follow `length` bytes of contents. */
  padding(length: number): undefined | typeof MORE {
    const count = paddingBytes(BigInt(length));
    if (this.#input.buffered < count) return this.#lack(count);
    this.#checkZeros(0, count);
    this.#consume(count);
    return undefined;
  }

  /** The next bytes as they lie in memory, at most `max` of them. */
  piece(max: number): Uint8Array | typeof MORE {
    if (this.#input.buffered === 0) return this.#lack(1);
    return this.#input.take(max);
  }

  /** As {@link piece} and {@link padding}, for contents that are here as a whole; `undefined` when they are not. */
  whole(length: number): Uint8Array | undefined {
    if (this.#input.buffered < length + paddingBytes(BigInt(length))) return undefined;
    const contents = this.#input.take(length);
    this.padding(length);
    return contents;
  }

  /** @throws {StoreError} unless the input is at its end. */
  async end(): Promise<void> {
    if (await this.#input.fill(1)) throw this.invalid("something follows the end of the NAR");
  }

  /** Checks that `bytes` more will not be too many. */
  allow(what: string, bytes: bigint): void {
    if (BigInt(this.position) + bytes <= this.#bytesMax) return;
    throw this.invalid(`${what} makes the NAR longer than ${this.#bytesMax} bytes`);
  }

  /** What is wrong at `offset`. */
  invalid(reason: string, offset = this.position): StoreError {
    return new StoreError("invalid-argument", `Invalid NAR: at byte ${offset}: ${reason}`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#input[Symbol.asyncDispose]();
  }

  #lack(count: number): typeof MORE {
    this.#wanted = count;
    return MORE;
  }

  #consume(count: number): void {
    this.#input.advance(count);
    if (this.position <= this.#bytesMax) return;
    throw this.invalid(`the NAR is longer than ${this.#bytesMax} bytes`, this.#bytesMax);
  }

  #peekLength(): bigint | typeof MORE {
    const { buffered, head, at } = this.#input;
    if (buffered < LENGTH_BYTES) return this.#lack(LENGTH_BYTES);
    let length = 0n;
    for (let index = LENGTH_BYTES - 1; index >= 0; index--) {
      length = (length << 8n) | BigInt(head[at + index] as number);
    }
    return length;
  }

  /** @throws {StoreError} unless the bytes from `start` up to `end`, counted from the next one, are zero. */
  #checkZeros(start: number, end: number): void {
    const { head, at } = this.#input;
    for (let index = start; index < end; index++) {
      if (head[at + index] === 0) continue;
      throw this.invalid("padding that is not zero", this.position + index);
    }
  }

  /** How many of the next bytes are those of `expected`. */
  #commonBytes(expected: Uint8Array): number {
    const { head, at, buffered } = this.#input;
    const end = Math.min(expected.length, buffered);
    let index = 0;
    while (index < end && head[at + index] === expected[index]) index++;
    return index;
  }

  /** Which string the first wrong byte belongs to, and what could have stood there. */
  #mismatchOf(phrases: readonly Phrase[]): Mismatch {
    const places = phrases.map((phrase) => wordAt(phrase, this.#commonBytes(phrase.bytes)));
    const start = Math.max(...places.map((place) => place.start));
    const expected = places.filter((place) => place.start === start).map(({ word }) => word);
    return { offset: this.position + start, expected: [...new Set(expected)] };
  }

  async #explain({ offset, expected }: Mismatch): Promise<StoreError> {
    const start = offset - this.position;
    await this.#input.fill(start + LENGTH_BYTES + SHOWN_BYTES);
    this.#input.advance(start);
    const words = expected.map((word) => JSON.stringify(word)).join(" or ");
    return this.invalid(`expected ${words}, found ${this.#shown()}`);
  }

  /** What comes next, for a message. */
  #shown(): string {
    const { head, at, buffered } = this.#input;
    const length = this.#peekLength();
    if (length === MORE) return `${buffered} bytes at the end of the input`;
    if (length > SHOWN_BYTES) return `a string of ${length} bytes`;
    const start = at + LENGTH_BYTES;
    const end = Math.min(start + Number(length), head.length);
    const padding = head.subarray(end, at + framedBytes(Number(length)));
    const note = padding.every((byte) => byte === 0) ? "" : " with padding that is not zero";
    return quoteBytes(head.subarray(start, end)) + note;
  }
}

/** The word that byte `offset` of a phrase belongs to, and where it starts. */
function wordAt({ words }: Phrase, offset: number): { word: string; start: number } {
  let start = 0;
  for (const word of words) {
    const end = start + framedBytes(word.length);
    if (offset < end) return { word, start };
    start = end;
  }
  throw new RangeError(`A phrase of ${start} bytes has no byte ${offset}`);
}
