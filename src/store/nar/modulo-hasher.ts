import { createHash } from "node:crypto";
import { StoreError } from "../../base/errors.js";
import type { HashAlgorithm } from "../nix-hash.js";

/** Positions are kept until the end: a NAR of nothing else must not fill the memory. */
const OCCURRENCES_MAX = 1_000_000;

/**
 * Hashes content that names the very path it will have, so before that is known: every occurrence of `self`
 * counts as zero bytes, and what was replaced is told apart from zeros by `|` and its position in decimal,
 * for one after the other, at the end. Nix calls this the hash modulo self references.
 */
export class ModuloHasher {
  readonly #hash;
  readonly #self: Uint8Array;
  readonly #positions: number[] = [];
  /** What may be the start of an occurrence. */
  #rest: Uint8Array = new Uint8Array(0);
  #restPosition = 0;

  /** @param self the hash part of the path, as text */
  constructor(algorithm: HashAlgorithm, self: Uint8Array) {
    this.#hash = createHash(algorithm);
    this.#self = self;
  }

  /** @throws {StoreError} `limit-exceeded` when `self` occurs too often. */
  update(bytes: Uint8Array): void {
    const piece = Buffer.concat([this.#rest, bytes]);
    for (let at = 0; ; at += this.#self.length) {
      at = piece.indexOf(this.#self, at);
      if (at < 0) break;
      piece.fill(0, at, at + this.#self.length);
      this.#positions.push(this.#restPosition + at);
      if (this.#positions.length > OCCURRENCES_MAX) {
        throw new StoreError(
          "limit-exceeded",
          `Content that refers to itself more than ${OCCURRENCES_MAX} times is not hashed`,
        );
      }
    }
    const done = Math.max(piece.length - this.#self.length + 1, 0);
    this.#hash.update(piece.subarray(0, done));
    this.#rest = piece.subarray(done);
    this.#restPosition += done;
  }

  /** Of everything so far; the hasher is used up. */
  digest(): Buffer {
    this.#hash.update(this.#rest);
    for (const position of this.#positions) this.#hash.update(`|${position}`);
    return this.#hash.digest();
  }
}
