/**
 * Reads NARs, as grammar.ts has them.
 */
import { NarGrammar, type NarItem, type NarReaderOptions } from "./grammar.js";
import { MORE, TokenReader } from "./token-reader.js";

/**
 * A pull parser over chunks of any size: however they are cut, the result is the same. It is iterative, and
 * holds a name for each open directory and at most one string; nothing is allocated because a length says so.
 *
 * One call at a time. After the first error every call fails with it. Disposing lets go of the source.
 */
export class NarReader implements AsyncDisposable {
  readonly #tokens: TokenReader;
  readonly #grammar: NarGrammar;
  #busy = false;
  #failure: { readonly error: unknown } | undefined;

  constructor(
    source: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
    options: NarReaderOptions = {},
  ) {
    this.#tokens = new TokenReader(source, options.narSizeMax ?? Number.MAX_SAFE_INTEGER);
    this.#grammar = new NarGrammar(this.#tokens, options);
  }

  /** How many bytes of the NAR have been read. */
  get position(): number {
    return this.#tokens.position;
  }

  /**
   * The next step; `undefined` at the end, once it is certain that nothing follows. A directory comes before
   * its entries, a file before its contents: these must be read or skipped first.
   *
   * @throws {StoreError} `invalid-argument`, naming the offset in bytes and what is wrong there; and whatever
   *   the source throws.
   */
  async next(): Promise<NarItem | undefined> {
    if (this.#grammar.isInContents && this.#failure === undefined) {
      throw new TypeError("The contents of a file in a NAR have to be read or skipped first");
    }
    this.#enter();
    try {
      for (;;) {
        const item = this.#grammar.step();
        if (item === undefined) await this.#tokens.end();
        if (item !== MORE) return item;
        await this.#tokens.more();
      }
    } catch (error) {
      throw this.#fail(error);
    } finally {
      this.#busy = false;
    }
  }

  /**
   * As {@link next}, for a step that needs nothing to be waited for; `undefined` says nothing.
   *
   * @throws {StoreError} as {@link next}.
   */
  nextIfHere(): NarItem | undefined {
    if (this.#grammar.isInContents) return undefined;
    return this.#now(() => {
      const item = this.#grammar.step();
      return item === MORE ? undefined : item;
    });
  }

  /**
   * The contents of the file that {@link next} came to, when they are here as a whole: they need not be read then. They
   * lie on the memory of the source. `undefined` says nothing.
   *
   * @throws {StoreError} as {@link next}.
   */
  wholeIfHere(): Uint8Array | undefined {
    if (!this.#grammar.isInContents) return undefined;
    return this.#now(() => this.#grammar.wholeContents());
  }

  /**
   * The next piece of the contents of the file that {@link next} came to; `undefined` when there are no more.
   * It lies on the memory of the source, as it came.
   *
   * @throws {StoreError} as {@link next}.
   */
  async read(): Promise<Uint8Array | undefined> {
    if (!this.#grammar.isInContents && this.#failure === undefined) {
      throw new TypeError("There is no file in a NAR whose contents could be read");
    }
    this.#enter();
    try {
      for (;;) {
        const piece = this.#grammar.contents();
        if (piece !== MORE) return piece;
        await this.#tokens.more();
      }
    } catch (error) {
      throw this.#fail(error);
    } finally {
      this.#busy = false;
    }
  }

  /** Passes over what is left of the contents of a file. */
  async skip(): Promise<void> {
    while ((await this.read()) !== undefined);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#tokens[Symbol.asyncDispose]();
  }

  /** Does what waits for nothing. */
  #now<T>(act: () => T): T {
    this.#enter();
    try {
      return act();
    } catch (error) {
      throw this.#fail(error);
    } finally {
      this.#busy = false;
    }
  }

  #enter(): void {
    if (this.#failure !== undefined) throw this.#failure.error;
    if (this.#busy) throw new TypeError("A NAR reader takes one call at a time");
    this.#busy = true;
  }

  #fail(error: unknown): unknown {
    this.#failure ??= { error };
    return error;
  }
}
