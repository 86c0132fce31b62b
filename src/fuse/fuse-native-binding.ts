/**
 * The part of the untyped package `fuse-native` that we use, with types, loaded when first needed.
 *
 * What its C side carries decides what the engine must refuse: paths and names cross as UTF-8 strings,
 * inode numbers and errors as 32-bit integers, and the mount point in a 1024-byte buffer that cuts off
 * silently what does not fit. Paths and symlink targets themselves have no such limit.
 */
import { createRequire } from "node:module";
import { messageOf, StoreError } from "../base/errors.js";
import type { Reply } from "./answer.js";
import type { Stat, StatFs } from "./attributes.js";

/** The longest mount point the binding passes on whole, in bytes of UTF-8. */
export const MOUNT_POINT_BYTES_MAX = 1023;

/** The operations we implement. Those left out are answered ENOSYS by libfuse. */
export interface FuseNativeOperations {
  getattr(path: string, reply: Reply<[stat: Stat]>): void;
  readdir(path: string, reply: Reply<[names: string[], stats: Stat[]]>): void;
  readlink(path: string, reply: Reply<[target: string]>): void;
  open(path: string, flags: number, reply: Reply<[]>): void;
  /** The status is the number of bytes read. `target` is the kernel's: not to be used after the reply. */
  read(
    path: string,
    handle: number,
    target: Uint8Array,
    length: number,
    offset: number,
    reply: Reply<[]>,
  ): void;
  statfs(path: string, reply: Reply<[statFs: StatFs]>): void;
}

export interface FuseNativeOptions {
  readonly allowOther: boolean;
  readonly defaultPermissions: boolean;
  readonly kernelCache: boolean;
  readonly entryTimeout: number;
  readonly attrTimeout: number;
  readonly maxRead: number;
  readonly subtype: string;
  readonly fsname: string;
  readonly timeout: false;
}

export interface FuseNativeMount {
  mount(done: (error: Error | null) => void): void;
  unmount(done: (error: Error | null) => void): void;
}

interface FuseNative {
  new (
    mountPoint: string,
    operations: FuseNativeOperations,
    options: FuseNativeOptions,
  ): FuseNativeMount;
  unmount(mountPoint: string, done: (error: Error | null) => void): void;
}

/**
 * Loads the package and its native binding.
 *
 * @throws {StoreError} `unsupported` when the binding does not load.
 */
export function loadFuseNative(): FuseNative {
  const require = createRequire(import.meta.url);
  try {
    const loaded = require("fuse-native") as FuseNative;
    // Its own unmount runs `fusermount -uz`, which hides that a mount is busy. The session has unmounted
    // by the time we ask the binding to let go of the event loop, which is the rest of what it does.
    loaded.unmount = (_mountPoint, done) => done(null);
    return loaded;
  } catch (cause) {
    throw new StoreError(
      "unsupported",
      `Cannot load the mount engine fuse-native: ${messageOf(cause)}. It needs the library libfuse.so.2: ` +
        "install libfuse2 (Debian, Ubuntu) or fuse-libs (Fedora)",
      { cause },
    );
  }
}
