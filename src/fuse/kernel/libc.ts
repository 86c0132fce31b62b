/**
 * The calls of the C library that Node has no functions for, loaded when first needed: mounting as root
 * and serving take none of them.
 */
import { getSystemErrorName } from "node:util";
import { messageOf, StoreError } from "../../base/errors.js";
import { require } from "../../base/require.js";

/** Each returns what the C function returns: -1 on failure, the reason of which `lastError` then tells. */
export interface LibC {
  ioctl(descriptor: number, request: number, argument: Uint8Array): number;
  socketpair(domain: number, type: number, protocol: number, pair: Int32Array): number;
  recvmsg(socket: number, message: Uint8Array, flags: number): number;
  /** Where `bytes` lie in memory; they must outlive the use of it. */
  address(bytes: Uint8Array): bigint;
  /** The Node error code of the last failure in this thread: `"EPERM"`. */
  lastError(): string;
}

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
    const { ioctl, socketpair, recvmsg } = {
      ioctl: library.func("int ioctl(int descriptor, unsigned long request, void *argument)"),
      socketpair: library.func("int socketpair(int domain, int type, int protocol, int *pair)"),
      recvmsg: library.func("long recvmsg(int socket, void *message, int flags)"),
    } as Pick<LibC, "ioctl" | "socketpair" | "recvmsg">;
    return {
      ioctl,
      socketpair,
      recvmsg,
      address: (bytes) => koffi.address(bytes),
      lastError: () => getSystemErrorName(-koffi.errno()),
    };
  } catch (cause) {
    throw new StoreError("unsupported", `Cannot load the package koffi: ${messageOf(cause)}`, {
      cause,
    });
  }
}
