import { setFlagsFromString } from "node:v8";
import type { LibraryHandle } from "koffi";
import { libc } from "./libc.js";
import { require } from "./require.js";

/** Memory is asked of the system, and given back to it, when this much is missing, or free. */
const KEPT_BYTES = 128 * 1024 * 1024;
/** The most that glibc takes: larger buffers are given back as soon as they are free. */
const HEAP_BUFFER_BYTES_MAX = 32 * 1024 * 1024;
const M_TRIM_THRESHOLD = -1;
const M_MMAP_THRESHOLD = -3;
/** How much of the heap of the C library is to lie on large pages, of which those count that are touched. */
const LARGE_PAGES_BYTES = 64 * 1024 * 1024;
/** Small enough to come from the heap, and not to be memory of its own. */
const LARGE_PAGES_STEP_BYTES = 8 * 1024 * 1024;
const PAGE_BYTES = 4096;
const MADV_HUGEPAGE = 14;

/** On top of what is alive. V8 never lets a heap grow further by itself, and mostly less. */
const HEAP_GROWING_PERCENT = 300;

/**
 * For programs that move much: makes this process keep the memory that buffers leave behind for the next ones, and
 * get new memory two megabytes at a time. Left to itself
 *
 * - the C library gives it back to the system, which then takes longer to find new pages than it takes to fill them;
 * - new memory comes page by page: each costs up to 27 µs in a virtual machine, a tenth of all that `import` does;
 * - V8 counts buffers with a heap that may double: with the 15 MB that are alive in a server it would collect all
 *   garbage once for every 15 MB that pass, and a third of the processor's time goes there.
 */
export function prepareForBulk(): void {
  setFlagsFromString(`--heap-growing-percent=${HEAP_GROWING_PERCENT}`);
  try {
    const koffi = require("koffi") as typeof import("koffi");
    const library = koffi.load(null);
    const mallopt = library.func("int mallopt(int parameter, int value)");
    mallopt(M_MMAP_THRESHOLD, HEAP_BUFFER_BYTES_MAX);
    mallopt(M_TRIM_THRESHOLD, KEPT_BYTES);
    askForLargePages(library);
  } catch {
    // Other C libraries have no such function, and it is only about speed.
  }
}

/** The heap grows at its end, and stays as long as it was made once. */
function askForLargePages(library: LibraryHandle): void {
  const malloc = library.func("uint64_t malloc(size_t size)");
  const free = library.func("void free(uint64_t address)");
  const steps = LARGE_PAGES_BYTES / LARGE_PAGES_STEP_BYTES;
  const addresses = Array.from({ length: steps }, () => malloc(LARGE_PAGES_STEP_BYTES));
  for (const address of addresses) {
    const start = Math.ceil(Number(address) / PAGE_BYTES) * PAGE_BYTES;
    const length = LARGE_PAGES_STEP_BYTES - PAGE_BYTES;
    libc().madvise(BigInt(start), BigInt(length), MADV_HUGEPAGE);
  }
  for (const address of addresses) free(address);
}
