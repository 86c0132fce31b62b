/** Copies that share memory: making a buffer for each takes longer than copying a few kilobytes into it. */
const SLAB_BYTES = 256 * 1024;

/** Makes copies of short-lived bytes. Whoever keeps one keeps its neighbours in memory too. */
export class Slab {
  #memory = Buffer.alloc(0);
  #used = 0;

  /** A copy of `bytes`, which have at most {@link SLAB_BYTES}. */
  copy(bytes: Uint8Array): Uint8Array {
    if (this.#used + bytes.length > this.#memory.length) {
      this.#memory = Buffer.allocUnsafeSlow(SLAB_BYTES);
      this.#used = 0;
    }
    const start = this.#used;
    this.#memory.set(bytes, start);
    this.#used += bytes.length;
    return this.#memory.subarray(start, this.#used);
  }
}
