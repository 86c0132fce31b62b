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
  mount(source: string, target: string, type: string, flags: number, data: string): number;
  fcntl(descriptor: number, command: number, argument: number): number;
  /** In another thread, whose last error stays unknown. */
  splice: {
    async(
      from: number,
      fromOffset: BigInt64Array,
      to: number,
      toOffset: null,
      length: number,
      flags: number,
      done: (error: Error | null, moved: number) => void,
    ): void;
  };
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
  mount:
    "int mount(const char *source, const char *target, const char *type, unsigned long flags, const char *data)",
  fcntl: "int fcntl(int descriptor, int command, int argument)",
  splice:
    "long splice(int from, int64_t *fromOffset, int to, int64_t *toOffset, size_t length, unsigned int flags)",
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
