/**
 * Pieces of a stream that also lie in a file: a pipe can take them from there, in the kernel, without a copy.
 */

/** Where the bytes of a piece are. */
export interface FilePlace {
  /** An open file, until the next piece is pulled. */
  readonly descriptor: number;
  /** In bytes. */
  readonly offset: number;
}

const places = new WeakMap<Uint8Array, FilePlace>();

/** Says that `piece` was read from `place`, whose bytes never change. */
export function markFilePlace(piece: Uint8Array, place: FilePlace): void {
  places.set(piece, place);
}

/** Where `piece` was read from, if that is a file. Parts of a piece and copies have no place. */
export function filePlaceOf(piece: Uint8Array): FilePlace | undefined {
  return places.get(piece);
}
