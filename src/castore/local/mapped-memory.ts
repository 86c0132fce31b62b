/**
 * Keeping the memory map of the index out of our resident memory.
 *
 * The index is read through a memory map, so every page that was ever touched counts as ours until the
 * kernel is short of memory: an import of many small files would seem to hold all it has written. The pages
 * are the page cache's anyway; letting go of them costs a minor fault when they are touched again.
 */
import { readFileSync } from "node:fs";
import { libc } from "../../base/libc.js";

/** How much of the map may be resident. Letting go of pages that are read over and over takes longer than reading them. */
const READ_RESIDENT_BYTES_MAX = 128 * 1024 * 1024;
/** The same where it is written: what was written is seldom read by the one who wrote it. */
const WRITE_RESIDENT_BYTES_MAX = 40 * 1024 * 1024;
/** How much may be touched, as far as can be told, before the kernel is asked what is resident. */
const TOUCHED_BYTES_MAX = 16 * 1024 * 1024;
/**
 * A write copies pages from the top of the tree to the leaf, wherever they are, and to look for what would be written
 * leads anywhere as well. Around each page the kernel maps 64 KiB along.
 */
const WRITE_BYTES = 512 * 1024;
const COMPARE_BYTES = 32 * 1024;
/**
 * A read meets most pages in use, and what it counts is little on purpose: mounts live on reads, and one of
 * 4 KiB takes 10 µs where its pages are still ours, 24 µs where they have to be taken up again.
 */
const READ_BYTES = 1024;
const READ_SHARE = 1 / 16;
const MADV_DONTNEED = 4;

interface Mapping {
  readonly address: bigint;
  readonly length: bigint;
}

export class MappedMemory {
  readonly #file: string;
  #mappings: readonly Mapping[] | undefined;
  #touchedBytes = 0;
  /** Resident pages of other files: the program. */
  #otherBytes = residentFileBytes();

  /** `file` is the absolute path of the mapped file; its mapping stays where it is. */
  constructor(file: string) {
    this.#file = file;
  }

  /** Says that a value of `bytes` bytes was read. */
  didRead(bytes: number): void {
    this.#touch(READ_BYTES + bytes * READ_SHARE, READ_RESIDENT_BYTES_MAX);
  }

  /** Says that a value of `bytes` bytes was read by one who would have written it. */
  didCompare(bytes: number): void {
    this.#touch(COMPARE_BYTES + bytes, WRITE_RESIDENT_BYTES_MAX);
  }

  /** Says that a value of `bytes` bytes was written. */
  didWrite(bytes: number): void {
    this.#touch(WRITE_BYTES + bytes, WRITE_RESIDENT_BYTES_MAX);
  }

  #touch(bytes: number, residentBytesMax: number): void {
    this.#touchedBytes += bytes;
    if (this.#touchedBytes < TOUCHED_BYTES_MAX) return;
    this.#touchedBytes = 0;
    if (residentFileBytes() - this.#otherBytes < residentBytesMax) return;
    this.#mappings ??= mappingsOf(this.#file);
    for (const { address, length } of this.#mappings) {
      libc().madvise(address, length, MADV_DONTNEED);
    }
    this.#otherBytes = residentFileBytes();
  }
}

const PAGE_BYTES = 4096;

/** Pages of files that count as ours. */
function residentFileBytes(): number {
  return Number(readFileSync("/proc/self/statm", "latin1").split(" ")[2]) * PAGE_BYTES;
}

function mappingsOf(file: string): Mapping[] {
  return readFileSync("/proc/self/maps", "utf8")
    .split("\n")
    .filter((line) => line.endsWith(` ${file}`))
    .map((line) => {
      const [start, end] = line.slice(0, line.indexOf(" ")).split("-");
      const address = BigInt(`0x${start}`);
      return { address, length: BigInt(`0x${end}`) - address };
    });
}
