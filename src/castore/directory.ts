/**
 * A Directory: the sorted names of one folder and the node behind each. Its digest is the BLAKE3 of its
 * canonical encoding, so equal folders are one object and a changed file changes every digest above it.
 *
 * Entries stay packed: the canonical bytes plus one row of offsets per entry. Looking a name up or walking
 * a folder of 100,000 files makes no objects; a {@link Node} is made when it is asked for.
 */
import { compareBytes } from "../base/bytes.js";
import { B3Digest } from "./digest.js";
import { ENTRY_TYPE, nodeAt, ROW } from "./entry-row.js";
import type { Node } from "./node.js";

export interface DirectoryEntry {
  /** 1 to 255 bytes, see `validateName`. */
  readonly name: Uint8Array;
  readonly node: Node;
}

const TWO_32 = 0x1_0000_0000;

/** Immutable. Made by `decodeDirectory` and `directoryFrom`, which check every rule. */
export class Directory {
  /** The canonical encoding. Not to be written to. */
  readonly bytes: Uint8Array;
  /** How many entries there are. */
  readonly count: number;
  readonly #rows: Uint32Array;
  /** Sum of the `size` fields of the directories among the entries. */
  readonly #childSizes: bigint;
  #digest: B3Digest | undefined;

  /** For the codec only: `rows` hold {@link ROW} columns, sorted by name over all entries. */
  constructor(bytes: Uint8Array, rows: Uint32Array, childSizes: bigint) {
    this.bytes = bytes;
    this.#rows = rows;
    this.count = rows.length / ROW.columns;
    this.#childSizes = childSizes;
  }

  get digest(): B3Digest {
    this.#digest ??= B3Digest.of(this.bytes);
    return this.#digest;
  }

  /** How many entries lie below this directory at any depth: what its parent states as `size`. */
  get size(): bigint {
    return BigInt(this.count) + this.#childSizes;
  }

  /**
   * Whether a parent may state `size` for this directory. Besides the documented count there are trees in
   * the wild that count each directory's own entries twice; both are read, only {@link size} is written.
   */
  admitsSize(size: bigint): boolean {
    return size === this.size || size === this.size + BigInt(this.count);
  }

  /** The name of entry `index`, on this directory's memory. */
  name(index: number): Uint8Array {
    return this.bytes.subarray(this.#at(index, ROW.nameStart), this.#at(index, ROW.nameEnd));
  }

  type(index: number): Node["type"] {
    const type = this.#at(index, ROW.type);
    if (type === ENTRY_TYPE.directory) return "directory";
    return type === ENTRY_TYPE.symlink ? "symlink" : "file";
  }

  /** The stated size of entry `index` when it is a directory, else 0; above 2^53 it is rounded. */
  directorySize(index: number): number {
    if (this.#at(index, ROW.type) !== ENTRY_TYPE.directory) return 0;
    return this.#at(index, ROW.sizeHigh) * TWO_32 + this.#at(index, ROW.sizeLow);
  }

  /** The node of entry `index`; its digest or target lies on this directory's memory. */
  node(index: number): Node {
    return nodeAt(this.bytes, this.#rows, index * ROW.columns);
  }

  /** The position of `name` among the entries, or -1. */
  indexOf(name: Uint8Array): number {
    let low = 0;
    let high = this.count - 1;
    while (low <= high) {
      const middle = (low + high) >>> 1;
      const order = compareBytes(this.name(middle), name);
      if (order === 0) return middle;
      if (order < 0) low = middle + 1;
      else high = middle - 1;
    }
    return -1;
  }

  /** The node called `name`, or `undefined`. */
  get(name: Uint8Array): Node | undefined {
    const index = this.indexOf(name);
    return index < 0 ? undefined : this.node(index);
  }

  /** All entries in byte order of their names. */
  *entries(): Generator<DirectoryEntry> {
    for (let index = 0; index < this.count; index++) {
      yield { name: this.name(index), node: this.node(index) };
    }
  }

  #at(index: number, column: number): number {
    return this.#rows[index * ROW.columns + column] as number;
  }
}
