/**
 * Keeping the memory map of the index out of our resident memory.
 *
 * The index is read through a memory map, so every page that was ever touched counts as ours until the
 * kernel is short of memory: an import of many small files would seem to hold all it has written. The pages
 * are the page cache's anyway; letting go of them costs a minor fault when they are touched again.
 */
import { readFileSync } from "node:fs";
import { libc } from "../../base/libc.js";

/** How much may be touched between two times of letting go. */
const TOUCHED_BYTES_MAX = 48 * 1024 * 1024;
/** The kernel maps pages around the one that is touched, if they are cached. */
const TOUCH_BYTES = 64 * 1024;
const MADV_DONTNEED = 4;

export class MappedMemory {
  readonly #file: string;
  #touchedBytes = 0;

  /** `file` is the absolute path of the mapped file. */
  constructor(file: string) {
    this.#file = file;
  }

  /** Says that a value of `bytes` bytes was read or written. */
  touch(bytes: number): void {
    this.#touchedBytes += TOUCH_BYTES + bytes;
    if (this.#touchedBytes < TOUCHED_BYTES_MAX) return;
    this.#touchedBytes = 0;
    for (const { address, length } of mappingsOf(this.#file)) {
      libc().madvise(address, length, MADV_DONTNEED);
    }
  }
}

function mappingsOf(file: string): { readonly address: bigint; readonly length: bigint }[] {
  return readFileSync("/proc/self/maps", "utf8")
    .split("\n")
    .filter((line) => line.endsWith(` ${file}`))
    .map((line) => {
      const [start, end] = line.slice(0, line.indexOf(" ")).split("-");
      const address = BigInt(`0x${start}`);
      return { address, length: BigInt(`0x${end}`) - address };
    });
}
