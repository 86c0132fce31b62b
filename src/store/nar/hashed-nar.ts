import { bulkSha256 } from "../../base/sha256.js";
import type { NarHash } from "./hasher.js";

/**
 * A NAR on its way from `source` to whoever reads this, once: hashed by another thread meanwhile. A piece must not
 * change until the next has come.
 */
export class HashedNar implements AsyncIterable<Uint8Array> {
  readonly #source: AsyncIterable<Uint8Array>;
  readonly #hash = bulkSha256();
  #size = 0n;

  constructor(source: AsyncIterable<Uint8Array>) {
    this.#source = source;
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array> {
    let hashed = Promise.resolve();
    try {
      for await (const piece of this.#source) {
        await hashed;
        hashed = this.#hash.update(piece);
        // It may fail while nobody waits for it.
        hashed.catch(() => {});
        this.#size += BigInt(piece.length);
        yield piece;
      }
    } finally {
      await hashed;
    }
  }

  /** Of all that has been read; to be called once, when nobody reads any more. */
  finish(): NarHash {
    return { narSha256: this.#hash.digest(), narSize: this.#size };
  }
}
