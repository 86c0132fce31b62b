/**
 * The calls of the C library that Node has no functions for. The binding is loaded when the first of them is
 * needed; many commands need none.
 */
import { getSystemErrorName } from "node:util";
import { messageOf, StoreError } from "./errors.js";
import { require } from "./require.js";

/**
 * Each returns what the C function returns: -1 on failure, the reason of which `lastError` then tells, or
 * where it is said the number of the error.
 */
export interface LibC {
  ioctl(descriptor: number, request: number, argument: Uint8Array): number;
  socketpair(domain: number, type: number, protocol: number, pair: Int32Array): number;
  recvmsg(socket: number, message: Uint8Array, flags: number): number;
  madvise(address: bigint, length: bigint, advice: number): number;
  /** Returns the number of the error, or 0. */
  posix_fallocate(descriptor: number, offset: number, length: number): number;
  /** Ends this process at once, whatever its threads are doing. */
  _exit(code: number): never;
  /** Where `bytes` lie in memory; they must outlive the use of it. */
  address(bytes: Uint8Array): bigint;
  /** The Node error code of the last failure in this thread: `"EPERM"`. */
  lastError(): string;
}

const PROTOTYPES = {
  ioctl: "int ioctl(int descriptor, unsigned long request, void *argument)",
  socketpair: "int socketpair(int domain, int type, int protocol, int *pair)",
  recvmsg: "long recvmsg(int socket, void *message, int flags)",
  madvise: "int madvise(uint64_t address, uint64_t length, int advice)",
  posix_fallocate: "int posix_fallocate(int descriptor, int64_t offset, int64_t length)",
  _exit: "void _exit(int code)",
} as const;

/**
 * The C library of this process.
 *
 * @throws {StoreError} `unsupported` when the binding to it does not load.
 */
export function libc(): LibC {
  loaded ??= load();
  return loaded;
}

/** Memory is asked of the system, and given back to it, when this much is missing, or free. */
const KEPT_BYTES = 128 * 1024 * 1024;
/** The most that glibc takes: larger buffers are given back as soon as they are free. */
const HEAP_BUFFER_BYTES_MAX = 32 * 1024 * 1024;
const M_TRIM_THRESHOLD = -1;
const M_MMAP_THRESHOLD = -3;

/**
 * Has memory that large buffers leave behind kept for the next ones. Left to itself the C library gives it back
 * to the system, which then takes longer to find new pages than it takes to fill them. For programs that move much,
 * for long.
 */
export function keepFreedMemory(): void {
  try {
    const koffi = require("koffi") as typeof import("koffi");
    const mallopt = koffi.load(null).func("int mallopt(int parameter, int value)");
    mallopt(M_MMAP_THRESHOLD, HEAP_BUFFER_BYTES_MAX);
    mallopt(M_TRIM_THRESHOLD, KEPT_BYTES);
  } catch {
    // Other C libraries have no such function, and it is only about speed.
  }
}

let loaded: LibC | undefined;

function load(): LibC {
  try {
    const koffi = require("koffi") as typeof import("koffi");
    const library = koffi.load(null);
    const functions = Object.fromEntries(
      Object.entries(PROTOTYPES).map(([name, prototype]) => [name, library.func(prototype)]),
    ) as unknown as Pick<LibC, keyof typeof PROTOTYPES>;
    return {
      ...functions,
      address: (bytes) => koffi.address(bytes),
      lastError: () => getSystemErrorName(-koffi.errno()),
    };
  } catch (cause) {
    throw new StoreError("unsupported", `Cannot load the package koffi: ${messageOf(cause)}`, {
      cause,
    });
  }
}
