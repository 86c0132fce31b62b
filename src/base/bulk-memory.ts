import { setFlagsFromString } from "node:v8";
import { loadSystemLibrary } from "./system-library.js";

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

interface Glibc {
  readonly mallopt: (parameter: number, value: number) => number;
  readonly malloc: (size: number) => number | bigint;
  readonly free: (address: number | bigint) => void;
  readonly madvise: (address: number, length: number, advice: number) => number;
}

const PROTOTYPES = {
  mallopt: "int mallopt(int parameter, int value)",
  malloc: "uint64_t malloc(size_t size)",
  free: "void free(uint64_t address)",
  madvise: "int madvise(uint64_t address, size_t length, int advice)",
} as const;

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
  // Other C libraries lack one of them, and it is only about speed.
  const library = loadSystemLibrary<Glibc>(null, PROTOTYPES);
  if (library === undefined) return;
  const { mallopt } = library.functions;
  mallopt(M_MMAP_THRESHOLD, HEAP_BUFFER_BYTES_MAX);
  mallopt(M_TRIM_THRESHOLD, KEPT_BYTES);
  askForLargePages(library.functions);
}

/** The heap grows at its end, and stays as long as it was made once. */
function askForLargePages({ malloc, free, madvise }: Glibc): void {
  const steps = LARGE_PAGES_BYTES / LARGE_PAGES_STEP_BYTES;
  const addresses = Array.from({ length: steps }, () => malloc(LARGE_PAGES_STEP_BYTES));
  for (const address of addresses) {
    const start = Math.ceil(Number(address) / PAGE_BYTES) * PAGE_BYTES;
    madvise(start, LARGE_PAGES_STEP_BYTES - PAGE_BYTES, MADV_HUGEPAGE);
  }
  for (const address of addresses) free(address);
}
