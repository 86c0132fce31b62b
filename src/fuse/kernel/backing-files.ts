/**
 * Which file of the store backs an open inode, agreed on by all threads that serve a mount. The kernel
 * demands that all who have an inode open at the same time have it through one registration.
 *
 * The table lies in shared memory, as 32-bit words: the lock, the number of used slots, then slots of
 *
 *   inode, low half · inode, high half · backing id · number of opens, 0 in a free slot
 *
 * An inode is in the first free slot at or after the one its number hashes to (linear probing).
 */
import { closeSync } from "node:fs";
import { StoreError } from "../../base/errors.js";
import { withLock } from "../../base/shared-lock.js";
import { type BackingCalls, backingCalls } from "./backing-calls.js";

const SLOT_BITS = 16;
const SLOTS = 2 ** SLOT_BITS;
/** How many inodes may be open at once. Half of the slots stay free, so that searches are short. */
export const OPEN_INODES_MAX = SLOTS / 2;

const LOCK = 0;
const USED = 1;
const HEADER_WORDS = 2;
const SLOT_WORDS = 4;
/** Words of a slot. */
const LOW = 0;
const HIGH = 1;
const ID = 2;
const OPENS = 3;
const TABLE_BYTES = 4 * (HEADER_WORDS + SLOTS * SLOT_WORDS);

export class BackingFiles {
  /** The table: give it to the other threads that serve this mount. */
  readonly shared: SharedArrayBuffer;
  readonly #words: Int32Array;
  readonly #device: number;
  readonly #calls: BackingCalls;

  /** `shared` is the table of another thread's instance; without one, an empty table is made. */
  constructor(
    device: number,
    shared = new SharedArrayBuffer(TABLE_BYTES),
    calls: BackingCalls = backingCalls,
  ) {
    this.#device = device;
    this.shared = shared;
    this.#words = new Int32Array(shared);
    this.#calls = calls;
  }

  /**
   * Counts one more open of `inode`, a safe integer, and returns the backing id for the reply. The first
   * open calls `open` for a descriptor of the file and registers it; the descriptor is closed again.
   * Other threads wait meanwhile.
   *
   * @throws {StoreError} `limit-exceeded` when too many inodes are open, and what `open` and
   *   {@link BackingCalls} throw. Then nothing is counted.
   */
  acquire(inode: number, open: () => number): number {
    const words = this.#words;
    return withLock(words, LOCK, () => {
      const slot = this.#find(inode);
      if (word(words, slot + OPENS) === 0) {
        if (word(words, USED) >= OPEN_INODES_MAX) throw full();
        words[slot + ID] = this.#register(open);
        words[slot + LOW] = lowHalf(inode);
        words[slot + HIGH] = highHalf(inode);
        words[USED] = word(words, USED) + 1;
      }
      words[slot + OPENS] = word(words, slot + OPENS) + 1;
      return word(words, slot + ID);
    });
  }

  /**
   * Takes one open of `inode` back, and the registration with the last one.
   *
   * @throws {RangeError} when it is not open.
   * @throws {StoreError} what {@link BackingCalls} throw; the open is taken back all the same.
   */
  release(inode: number): void {
    const words = this.#words;
    withLock(words, LOCK, () => {
      const slot = this.#find(inode);
      const opens = word(words, slot + OPENS);
      if (opens === 0) throw new RangeError(`Inode ${inode} is not open`);
      words[slot + OPENS] = opens - 1;
      if (opens > 1) return;
      const id = word(words, slot + ID);
      words[USED] = word(words, USED) - 1;
      this.#closeGap(slot);
      this.#calls.close(this.#device, id);
    });
  }

  #register(open: () => number): number {
    const descriptor = open();
    try {
      return this.#calls.open(this.#device, descriptor);
    } finally {
      closeSync(descriptor);
    }
  }

  /** Where the slot of `inode` begins, or the free one to put it in. */
  #find(inode: number): number {
    const words = this.#words;
    const low = lowHalf(inode);
    const high = highHalf(inode);
    let index = home(low, high);
    for (;;) {
      const slot = slotAt(index);
      if (word(words, slot + OPENS) === 0) return slot;
      if (words[slot + LOW] === low && words[slot + HIGH] === high) return slot;
      index = (index + 1) % SLOTS;
    }
  }

  /** Moves up what stands behind a freed slot only because that was taken. */
  #closeGap(freed: number): void {
    const words = this.#words;
    let gap = (freed - HEADER_WORDS) / SLOT_WORDS;
    let index = gap;
    for (;;) {
      index = (index + 1) % SLOTS;
      const slot = slotAt(index);
      if (word(words, slot + OPENS) === 0) return;
      const wanted = home(word(words, slot + LOW), word(words, slot + HIGH));
      if (distance(wanted, index) < distance(gap, index)) continue;
      words.copyWithin(slotAt(gap), slot, slot + SLOT_WORDS);
      words[slot + OPENS] = 0;
      gap = index;
    }
  }
}

function word(words: Int32Array, index: number): number {
  return words[index] as number;
}

function slotAt(index: number): number {
  return HEADER_WORDS + index * SLOT_WORDS;
}

/** How many steps the search takes from slot `from` to slot `to`, which is round the corner if before. */
function distance(from: number, to: number): number {
  return (to - from + SLOTS) % SLOTS;
}

/** Signed, as the words are. */
function lowHalf(inode: number): number {
  return inode | 0;
}

function highHalf(inode: number): number {
  return Math.floor(inode / 2 ** 32) | 0;
}

/** The slot to look for an inode first: the high bits of a product, which hang on all bits below. */
function home(low: number, high: number): number {
  return Math.imul(low ^ Math.imul(high, 0x85eb_ca6b), 0x9e37_79b1) >>> (32 - SLOT_BITS);
}

function full(): StoreError {
  return new StoreError(
    "limit-exceeded",
    `Cannot open more than ${OPEN_INODES_MAX} files at once with passthrough`,
  );
}
