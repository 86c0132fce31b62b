/**
 * Inode numbers without a table.
 *
 * A directory states how many entries lie below it, so a root node needs one contiguous range of numbers:
 * the node itself takes the base, and each child starts where the one before it ends. A number therefore
 * says where in the tree it belongs, and only the bases of the roots have to be kept.
 */
import { StoreError } from "../../base/errors.js";
import type { Directory } from "../directory.js";
import { equalNodes, type Node } from "../node.js";
import { ROOT_INODE } from "./file-system.js";

/** Far more than any tree has; keeps one absurd `size` from using up the numbers. */
const ROOT_SPAN_MAX = 2 ** 44;

export interface RootRange {
  readonly base: number;
  readonly node: Node;
}

/** How many numbers `node` takes: itself and everything below it. */
export function spanOf(node: Node): number {
  return node.type === "directory" ? 1 + Number(node.size) : 1;
}

/** Hands out the ranges of root nodes and finds the root a number belongs to. */
export class InodeRanges {
  /** Ascending by base. */
  readonly #ranges: RootRange[] = [];
  readonly #byName = new Map<string, RootRange>();
  #next = ROOT_INODE + 1;

  /**
   * The range of the root node called `name`: always the same one while `node` is the same.
   *
   * @throws {StoreError} `limit-exceeded` when the tree says it is too large to be numbered.
   */
  rangeOf(name: Uint8Array, node: Node): RootRange {
    const key = Buffer.from(name).toString("latin1");
    const known = this.#byName.get(key);
    if (known !== undefined && equalNodes(known.node, node)) return known;
    const span = spanOf(node);
    if (span > ROOT_SPAN_MAX || this.#next + span > Number.MAX_SAFE_INTEGER) {
      throw new StoreError(
        "limit-exceeded",
        `Cannot show ${key}: it states ${span - 1} entries, more than can be numbered`,
      );
    }
    const range = { base: this.#next, node };
    this.#next += span;
    this.#ranges.push(range);
    this.#byName.set(key, range);
    return range;
  }

  /** The root whose range holds `inode`, or `undefined`. */
  find(inode: number): RootRange | undefined {
    const index = lastAtMost(this.#ranges.length, inode, (at) => this.#ranges[at]?.base ?? 0);
    return this.#ranges[index];
  }
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
function lastAtMost(count: number, wanted: number, value: (index: number) => number): number {
  let low = 0;
  let high = count - 1;
  while (low <= high) {
    const middle = (low + high) >>> 1;
    if (value(middle) <= wanted) low = middle + 1;
    else high = middle - 1;
  }
  return high;
}
