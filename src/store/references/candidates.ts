import { asBuffer } from "../../base/bytes.js";
import { digitOfNixBase32 } from "../nixbase32.js";
import { HASH_TEXT_LENGTH, type StorePath } from "../store-path.js";

/**
 * A hash is first compared in parts of four characters, 20 bits each, with those of all candidates: hex
 * dumps are full of what could be a hash and is none. With 100,000 candidates one in ten passes each part.
 */
const PART_BITS = 20;
const PARTS = [0, 4, 8, 12] as const;

const DIGITS = Uint8Array.from({ length: 256 }, (_, byte) => digitOfNixBase32(byte) ?? 0);

/** The store paths that content may refer to, found by their hash part. */
export class ReferenceCandidates {
  readonly #byHash = new Map<string, StorePath>();
  /** For each part one bit per value, set where it occurs: 128 KiB each. */
  readonly #filters = PARTS.map(() => new Uint8Array(2 ** (PART_BITS - 3)));

  add(path: StorePath): void {
    const hash = path.basename.slice(0, HASH_TEXT_LENGTH);
    this.#byHash.set(hash, path);
    const bytes = Buffer.from(hash);
    for (const [index, filter] of this.#filters.entries()) {
      const part = partAt(bytes, PARTS[index] as number);
      filter[part >> 3] = (filter[part >> 3] as number) | (1 << (part & 7));
    }
  }

  get size(): number {
    return this.#byHash.size;
  }

  /** The candidate whose hash is the 32 bytes from `offset` on, all of them in the alphabet of nixbase32. */
  find(bytes: Uint8Array, offset: number): StorePath | undefined {
    for (let index = 0; index < PARTS.length; index++) {
      const part = partAt(bytes, offset + (PARTS[index] as number));
      const filter = this.#filters[index] as Uint8Array;
      if (((filter[part >> 3] as number) & (1 << (part & 7))) === 0) return undefined;
    }
    return this.#byHash.get(asBuffer(bytes).toString("latin1", offset, offset + HASH_TEXT_LENGTH));
  }
}

function partAt(bytes: Uint8Array, offset: number): number {
  return (
    ((DIGITS[bytes[offset] as number] as number) << 15) |
    ((DIGITS[bytes[offset + 1] as number] as number) << 10) |
    ((DIGITS[bytes[offset + 2] as number] as number) << 5) |
    (DIGITS[bytes[offset + 3] as number] as number)
  );
}
