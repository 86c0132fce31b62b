import { setFlagsFromString } from "node:v8";
import { require } from "./require.js";

/** Memory is asked of the system, and given back to it, when this much is missing, or free. */
const KEPT_BYTES = 128 * 1024 * 1024;
/** The most that glibc takes: larger buffers are given back as soon as they are free. */
const HEAP_BUFFER_BYTES_MAX = 32 * 1024 * 1024;
const M_TRIM_THRESHOLD = -1;
const M_MMAP_THRESHOLD = -3;

/** On top of what is alive. V8 never lets a heap grow further by itself, and mostly less. */
const HEAP_GROWING_PERCENT = 300;

/**
 * For programs that move much, for long: makes this process keep the memory that buffers leave behind for the next
 * ones. Left to itself
 *
 * - the C library gives it back to the system, which then takes longer to find new pages than it takes to fill them;
 * - V8 counts buffers with a heap that may double: with the 15 MB that are alive in a server it would collect all
 *   garbage once for every 15 MB that pass, and a third of the processor's time goes there.
 */
export function prepareForBulk(): void {
  setFlagsFromString(`--heap-growing-percent=${HEAP_GROWING_PERCENT}`);
  try {
    const koffi = require("koffi") as typeof import("koffi");
    const mallopt = koffi.load(null).func("int mallopt(int parameter, int value)");
    mallopt(M_MMAP_THRESHOLD, HEAP_BUFFER_BYTES_MAX);
    mallopt(M_TRIM_THRESHOLD, KEPT_BYTES);
  } catch {
    // Other C libraries have no such function, and it is only about speed.
  }
}
