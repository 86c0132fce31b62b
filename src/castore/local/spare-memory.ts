/**
 * Pieces of memory that are used again and again: making one of them takes longer than filling it, and what has been
 * filled must not pile up. Whoever takes one gives it back when nobody, in the kernel or elsewhere, reads it any more.
 */
export class SpareMemory {
  readonly pieceBytes: number;
  #unmade: number;
  readonly #spare: Uint8Array[] = [];

  /** At most `pieces`, of `pieceBytes` each; those that are not needed at the same time are never made. */
  constructor(pieceBytes: number, pieces: number) {
    this.pieceBytes = pieceBytes;
    this.#unmade = pieces;
  }

  /** `undefined` when all are in use. */
  take(): Uint8Array | undefined {
    const piece = this.#spare.pop();
    if (piece !== undefined || this.#unmade === 0) return piece;
    this.#unmade--;
    return Buffer.allocUnsafeSlow(this.pieceBytes);
  }

  give(piece: Uint8Array): void {
    this.#spare.push(piece);
  }
}
