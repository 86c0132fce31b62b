import { type ForeignFunction, loadSystemLibrary } from "./system-library.js";
import { setFlagWhenLoaded } from "./v8-flags.js";

/** Memory is asked of the system, and given back to it, when this much is missing, or free. */
const KEPT_BYTES = 128 * 1024 * 1024;
/** The most that glibc takes: larger buffers are given back as soon as they are free. */
const HEAP_BUFFER_BYTES_MAX = 32 * 1024 * 1024;
const M_TRIM_THRESHOLD = -1;
const M_MMAP_THRESHOLD = -3;
/**
 * How much of the heap of the C library is to lie on large pages, of which those count that are touched: this many
 * steps, each small enough to come from the heap, and not to be memory of its own.
 */
const LARGE_PAGES_STEP_BYTES = 8 * 1024 * 1024;
const LARGE_PAGES_STEPS = 8;
const PAGE_BYTES = 4096;
const MADV_HUGEPAGE = 14;
/** Since Linux 5.14. */
const MADV_POPULATE_WRITE = 23;

interface Glibc {
  readonly mallopt: (parameter: number, value: number) => number;
  readonly malloc: (size: number) => number | bigint;
  readonly free: (address: number | bigint) => void;
  readonly madvise: ForeignFunction<[address: number, length: number, advice: number], number>;
}

const PROTOTYPES = {
  mallopt: "int mallopt(int parameter, int value)",
  malloc: "uint64_t malloc(size_t size)",
  free: "void free(uint64_t address)",
  madvise: "int madvise(uint64_t address, size_t length, int advice)",
} as const;

/** Makes one step of the heap memory that is really there; does nothing on an older Linux. */
let fill: ((step: number, done: () => void) => void) | undefined;
let filledSteps = 0;

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
  setFlagWhenLoaded(`--heap-growing-percent=${HEAP_GROWING_PERCENT}`);
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
  const addresses = Array.from({ length: LARGE_PAGES_STEPS }, () => malloc(LARGE_PAGES_STEP_BYTES));
  const starts = addresses.map((address) => Math.ceil(Number(address) / PAGE_BYTES) * PAGE_BYTES);
  const length = LARGE_PAGES_STEP_BYTES - PAGE_BYTES;
  for (const start of starts) madvise(start, length, MADV_HUGEPAGE);
  for (const address of addresses) free(address);
  fill = (step, done) => madvise.async(starts[step] as number, length, MADV_POPULATE_WRITE, done);
}

/**
 * For programs that are prepared, and now know that `bytes` are to be moved: another thread makes as much of the heap
 * memory that is really there. The system clears it first, which would hold up this thread for a tenth of a second.
 */
export function expectBulk(bytes: number): void {
  const steps = Math.min(Math.floor(bytes / LARGE_PAGES_STEP_BYTES), LARGE_PAGES_STEPS);
  if (fill === undefined || filledSteps >= steps) return;
  fill(filledSteps++, () => expectBulk(bytes));
}
