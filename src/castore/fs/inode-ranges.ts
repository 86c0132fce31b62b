/**
 * Inode numbers without a table.
 *
 * A directory states how many entries lie below it, so a root node needs one contiguous range of numbers:
 * the node itself takes the base, and each child starts where the one before it ends. A number therefore
 * says where in the tree it belongs, and only the bases of the roots have to be kept.
 */
import { LRUCache } from "lru-cache";
import { B3Digest } from "../digest.js";
import type { Directory } from "../directory.js";
import type { Node } from "../node.js";
import { encodeNode } from "../node-codec.js";
import type { RangeLog } from "./range-log.js";
import type { RootNodes } from "./root-nodes.js";

const NODES_MAX = 1024;
/** What a range is bound to that was withdrawn; the id of no root. */
const NOTHING = B3Digest.from(new Uint8Array(B3Digest.LENGTH_BYTES));

export interface RootRange {
  readonly base: number;
  readonly node: Node;
}

/** The ranges of the root nodes, as one thread knows them. */
export class InodeRanges {
  readonly #log: RangeLog;
  readonly #roots: Pick<RootNodes, "lookup">;
  /** The bases of the log as far as this thread has read it: ascending, each once. */
  readonly #bases: number[] = [];
  /** For each base, where in the log it was bound last. */
  readonly #records: number[] = [];
  /** How much of the log this thread has read. */
  #read = 0;
  /** Places in {@link #bases}. */
  readonly #byId = new Map<string, number>();
  /** Root nodes by their place in {@link #bases}. */
  readonly #nodes = new LRUCache<number, Node>({ max: NODES_MAX });

  constructor(log: RangeLog, roots: Pick<RootNodes, "lookup">) {
    this.#log = log;
    this.#roots = roots;
  }

  /**
   * The number of the root node called `name`: always the same one while `node` is the same.
   *
   * @throws {StoreError} `limit-exceeded` when it cannot be numbered.
   */
  baseOf(name: Uint8Array, node: Node): number {
    const id = idOf(name, node);
    const known = this.#byId.get(id.hex) ?? this.#append(id, name, node);
    return this.#bases[known] as number;
  }

  /**
   * Has the numbers of the root node called `name`, which was `from`, mean `to` from now on: a tree of the same
   * shape, or nothing. Does nothing when `from` has no numbers.
   *
   * @throws {StoreError} `limit-exceeded` when the log takes no more.
   */
  rebind(name: Uint8Array, from: Node, to: Node | undefined): void {
    this.#log.exclusively(() => {
      this.#catchUp();
      const index = this.#byId.get(idOf(name, from).hex);
      if (index === undefined) return;
      this.#log.rebind(this.#bases[index] as number, to ? idOf(name, to) : NOTHING, name);
      this.#catchUp();
    });
  }

  /** Counts up whenever numbers come to mean something else: what was found before may not hold. */
  get changes(): number {
    this.#catchUp();
    return this.#read - this.#bases.length;
  }

  /** The name of the root whose range holds `inode`, whatever it is bound to. */
  rootName(inode: number): Uint8Array | undefined {
    this.#catchUp();
    const index = this.#indexOf(inode);
    return index < 0 ? undefined : this.#log.record(this.#records[index] as number).name;
  }

  /** The root whose range holds `inode`; `undefined` when there is none, or none any more. */
  find(inode: number): RootRange | undefined {
    this.#catchUp();
    const index = this.#indexOf(inode);
    if (index < 0) return undefined;
    const base = this.#bases[index] as number;
    const cached = this.#nodes.get(index);
    if (cached !== undefined) return { base, node: cached };
    const { id, name } = this.#log.record(this.#records[index] as number);
    const node = this.#roots.lookup(name);
    if (node === undefined || !idOf(name, node).equals(id)) return undefined;
    this.#nodes.set(index, node);
    return { base, node };
  }

  #append(id: B3Digest, name: Uint8Array, node: Node): number {
    return this.#log.exclusively(() => {
      this.#catchUp();
      if (!this.#byId.has(id.hex)) {
        this.#log.append(id, name, spanOf(node));
        this.#catchUp();
      }
      return this.#byId.get(id.hex) as number;
    });
  }

  #indexOf(inode: number): number {
    return lastAtMost(this.#bases.length, inode, (at) => this.#bases[at] as number);
  }

  #catchUp(): void {
    for (; this.#read < this.#log.count; this.#read++) {
      const { base, id } = this.#log.record(this.#read);
      let index = this.#indexOf(base);
      if (index >= 0 && this.#bases[index] === base) {
        const before = this.#log.record(this.#records[index] as number);
        this.#byId.delete(before.id.hex);
        this.#nodes.delete(index);
      } else {
        index = this.#bases.push(base) - 1;
      }
      this.#records[index] = this.#read;
      if (!id.equals(NOTHING)) this.#byId.set(id.hex, index);
    }
  }
}

/** How many numbers `node` takes: itself and everything below it. */
function spanOf(node: Node): number {
  return node.type === "directory" ? 1 + Number(node.size) : 1;
}

/** Tells root nodes apart, names included. */
function idOf(name: Uint8Array, node: Node): B3Digest {
  return B3Digest.of(encodeNode(name, node));
}

/** Where the children of one directory start, relative to the directory's own number. */
export class ChildOffsets {
  readonly #starts: Float64Array;

  constructor(directory: Directory) {
    this.#starts = new Float64Array(directory.count + 1);
    let start = 1;
    for (let index = 0; index < directory.count; index++) {
      this.#starts[index] = start;
      start += 1 + directory.directorySize(index);
    }
    this.#starts[directory.count] = start;
  }

  /** How many numbers the directory and everything below it take. */
  get span(): number {
    return this.#starts[this.#starts.length - 1] as number;
  }

  start(index: number): number {
    return this.#starts[index] as number;
  }

  /** The child whose range holds `offset`; -1 when none does. */
  find(offset: number): number {
    if (offset >= this.span) return -1;
    return lastAtMost(this.#starts.length - 1, offset, (at) => this.start(at));
  }
}

/** The last of `count` ascending values that is at most `wanted`, or -1. */
export function lastAtMost(
  count: number,
  wanted: number,
  value: (index: number) => number,
): number {
  let low = 0;
  let high = count - 1;
  while (low <= high) {
    const middle = (low + high) >>> 1;
    if (value(middle) <= wanted) low = middle + 1;
    else high = middle - 1;
  }
  return high;
}
