/**
 * Finding store paths in content: by the hash part alone, as Nix does, since a path may be written in pieces
 * or without its name.
 *
 * Most content is skipped, in the manner of Boyer and Moore: a window of 32 bytes is looked at from its end,
 * and at a byte that is not in the alphabet the next window starts behind it. Random bytes move it on by 31
 * bytes at a time, prose by nearly as many.
 */
import { asBuffer } from "../../base/bytes.js";
import { digitOfNixBase32 } from "../nixbase32.js";
import { HASH_TEXT_LENGTH, type StorePath } from "../store-path.js";
import type { ReferenceCandidates } from "./candidates.js";

/** Whether a byte may be part of a hash. */
const IN_ALPHABET = Uint8Array.from({ length: 256 }, (_, byte) =>
  digitOfNixBase32(byte) === undefined ? 0 : 1,
);

const TAIL_BYTES = HASH_TEXT_LENGTH - 1;

/** Looks for candidates in one stream, whose pieces may have any length. */
export class ReferenceScanner {
  readonly #candidates: ReferenceCandidates;
  readonly #found = new Map<string, StorePath>();
  /** The end of what was seen, and room for the start of what comes next. */
  readonly #seam = Buffer.alloc(2 * TAIL_BYTES);
  #tailBytes = 0;

  constructor(candidates: ReferenceCandidates) {
    this.#candidates = candidates;
  }

  /** The next piece, which is not kept. */
  update(piece: Uint8Array): void {
    const bytes = asBuffer(piece);
    const head = bytes.subarray(0, TAIL_BYTES);
    const seam = this.#seam.subarray(
      0,
      this.#tailBytes + bytes.copy(this.#seam, this.#tailBytes, 0, head.length),
    );
    this.#search(seam);
    if (bytes.length > TAIL_BYTES) {
      this.#search(bytes);
      this.#tailBytes = bytes.copy(this.#seam, 0, bytes.length - TAIL_BYTES);
    } else {
      const kept = seam.subarray(-TAIL_BYTES);
      this.#tailBytes = kept.copy(this.#seam);
    }
  }

  /** What has been found so far, in byte order. */
  get references(): StorePath[] {
    return [...this.#found.values()].sort((a, b) => (a.basename < b.basename ? -1 : 1));
  }

  #search(bytes: Buffer): void {
    const last = bytes.length - HASH_TEXT_LENGTH;
    // From the start of the window up to here everything is in the alphabet.
    let known = 0;
    for (let start = 0; start <= last; ) {
      const end = start + HASH_TEXT_LENGTH;
      let at = end - 1;
      while (at >= known && IN_ALPHABET[bytes[at] as number] === 1) at--;
      const broken = at >= known;
      known = end;
      if (broken) {
        start = at + 1;
        continue;
      }
      const found = this.#candidates.find(bytes, start);
      if (found !== undefined) this.#found.set(found.basename, found);
      start++;
    }
  }
}
