import { createHash } from "node:crypto";

export interface NarHash {
  /** 32 bytes. */
  readonly narSha256: Uint8Array;
  /** Length of the NAR in bytes. */
  readonly narSize: bigint;
}

/** Hashes and counts a NAR that comes in pieces: from a `NarWriter`, a renderer or a file. */
export class NarHasher {
  readonly #hash = createHash("sha256");
  #size = 0n;

  update(bytes: Uint8Array): void {
    this.#hash.update(bytes);
    this.#size += BigInt(bytes.length);
  }

  /** Of everything so far; the hasher is used up. */
  finish(): NarHash {
    return { narSha256: this.#hash.digest(), narSize: this.#size };
  }
}
