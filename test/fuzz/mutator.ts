/**
 * Changes bytes the way damage and malice do.
 */
import { noise } from "../support/bytes.js";
import { randomFrom } from "../support/random.js";

/** Lengths and sizes at which something may overflow, in eight bytes. */
const NUMBERS = [0n, 1n, 7n, 8n, 255n, 256n, 4095n, 4096n].concat(
  [31n, 32n, 53n, 63n, 64n].flatMap((bit) => [2n ** bit - 1n, 2n ** bit, 2n ** bit + 1n]),
);

/** The same `seed` gives the same changes. */
export class Mutator {
  readonly #random: () => number;

  constructor(seed: number) {
    this.#random = randomFrom(seed);
  }

  /** A whole number below `limit`. */
  below(limit: number): number {
    return Math.floor(this.#random() * limit);
  }

  pick<T>(choices: readonly T[]): T {
    return choices[this.below(choices.length)] as T;
  }

  /** `input` after one to four changes, some of them with parts of `other`. */
  mutate(input: Buffer, other: Buffer): Buffer {
    let bytes: Buffer = Buffer.from(input);
    for (let count = 1 + this.below(4); count > 0; count--) bytes = this.#once(bytes, other);
    return bytes;
  }

  #once(bytes: Buffer, other: Buffer): Buffer {
    const at = this.below(bytes.length + 1);
    switch (this.below(9)) {
      case 0:
        return bytes.subarray(0, at);
      case 1:
        return this.#splice(bytes, at, 0, noise(1 + this.below(40), this.below(2 ** 32)));
      case 2:
        return this.#splice(bytes, at, this.below(40), Buffer.alloc(0));
      case 3: {
        // A part of the same kind of input, or of this one again.
        const from = this.pick([bytes, other]);
        const start = this.below(from.length + 1);
        const part = Buffer.from(from.subarray(start, start + this.below(200)));
        return this.#splice(bytes, at, this.pick([0, part.length]), part);
      }
      case 4: {
        const number = Buffer.alloc(8);
        number.writeBigUInt64LE(BigInt.asUintN(64, this.pick(NUMBERS)));
        return this.#splice(bytes, at - (at % 8), 8, number);
      }
      case 5:
        return this.#splice(bytes, at, 1, Buffer.from([this.pick([0, 1, 0x7f, 0x80, 0xff, 0x2f])]));
      default:
        if (at < bytes.length) bytes[at] = (bytes[at] as number) ^ (1 << this.below(8));
        return bytes;
    }
  }

  #splice(bytes: Buffer, at: number, removed: number, added: Buffer): Buffer {
    return Buffer.concat([bytes.subarray(0, at), added, bytes.subarray(at + removed)]);
  }
}
