import { asBuffer } from "../../base/bytes.js";
import { decodeNixBase32, digitOfNixBase32 } from "../nixbase32.js";
import { HASH_TEXT_LENGTH, StorePath } from "../store-path.js";

/**
 * A hash is first compared in parts of four characters, 20 bits each, with those of all candidates: hex
 * dumps are full of what could be a hash and is none. With 100,000 candidates one in ten passes each part.
 */
const PART_LENGTH = 4;
const PART_BITS = PART_LENGTH * 5;
const PARTS = 4;

const DIGITS = Uint8Array.from({ length: 256 }, (_, byte) => digitOfNixBase32(byte) ?? 0);

/** The store paths that content may refer to, found by their hash part. */
export class ReferenceCandidates {
  readonly #paths: StorePath[] = [];
  /** By the key of their hash; made when content first passes the filters, which hardly any does by chance. */
  #byHash: Map<string, StorePath> | undefined;
  /** For each part one bit per value, set where it occurs: 128 KiB each. */
  readonly #filters = Array.from({ length: PARTS }, () => new Uint8Array(2 ** (PART_BITS - 3)));

  add(path: StorePath): void {
    this.#paths.push(path);
    this.#byHash?.set(keyOf(path.hash), path);
    for (let index = 0; index < PARTS; index++) {
      const filter = this.#filters[index] as Uint8Array;
      const part = partOf(path.hash, index);
      filter[part >> 3] = (filter[part >> 3] as number) | (1 << (part & 7));
    }
  }

  /** The candidate whose hash is the 32 bytes from `offset` on, all of them in the alphabet of nixbase32. */
  find(bytes: Buffer, offset: number): StorePath | undefined {
    for (let index = 0; index < PARTS; index++) {
      const part = partAt(bytes, offset + index * PART_LENGTH);
      const filter = this.#filters[index] as Uint8Array;
      if (((filter[part >> 3] as number) & (1 << (part & 7))) === 0) return undefined;
    }
    this.#byHash ??= new Map(this.#paths.map((path) => [keyOf(path.hash), path]));
    const text = bytes.toString("latin1", offset, offset + HASH_TEXT_LENGTH);
    return this.#byHash.get(keyOf(decodeNixBase32(text, StorePath.HASH_BYTES)));
  }
}

function keyOf(hash: Uint8Array): string {
  return asBuffer(hash).toString("latin1");
}

/** Part `index` of the text of `hash`, without making the text: it starts with the highest bits. */
function partOf(hash: Uint8Array, index: number): number {
  const bit = hash.length * 8 - PART_BITS * (index + 1);
  const at = bit >> 3;
  const bits =
    (hash[at] as number) | ((hash[at + 1] as number) << 8) | ((hash[at + 2] as number) << 16);
  return (bits >> (bit & 7)) & (2 ** PART_BITS - 1);
}

function partAt(bytes: Uint8Array, offset: number): number {
  return (
    ((DIGITS[bytes[offset] as number] as number) << 15) |
    ((DIGITS[bytes[offset + 1] as number] as number) << 10) |
    ((DIGITS[bytes[offset + 2] as number] as number) << 5) |
    (DIGITS[bytes[offset + 3] as number] as number)
  );
}
