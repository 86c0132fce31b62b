/**
 * The portable mount engine: libfuse 2 through the package fuse-native, path based, answered on the main
 * loop of the process. Its limits: no extended attributes (a caller with a short buffer would crash the
 * binding), names only in UTF-8, one caching time for the whole mount.
 */
import { messageOf, StoreError } from "../base/errors.js";
import type { FileSystem } from "../castore/fs/file-system.js";
import { type EngineMount, MOUNT_SOURCE, type MountEngine, type MountOptions } from "./engine.js";
import {
  type FuseNativeMount,
  loadFuseNative,
  MOUNT_POINT_BYTES_MAX,
} from "./fuse-native-binding.js";
import { fuseNativeHandlers } from "./fuse-native-handlers.js";

/** Everything that was found once stays true, except that new names appear at the root. */
const FOR_EVER_SECONDS = 1_000_000_000;
const NEGATIVE_SECONDS = 1;

/**
 * Options the package has no names for. It joins all of them with commas, unescaped, and libfuse splits
 * them again, so they can travel behind the file system's name.
 */
const EXTRA_OPTIONS = ["ro", "use_ino", `negative_timeout=${NEGATIVE_SECONDS}`];

export class FuseNativeEngine implements MountEngine {
  readonly name = "fuse-native";
  readonly #fileSystem: FileSystem;

  constructor(fileSystem: FileSystem) {
    this.#fileSystem = fileSystem;
  }

  /** There is nothing to begin: everything is done on the main loop. */
  async mount({ mountPoint, allowOther, log }: MountOptions): Promise<EngineMount> {
    const FuseNative = loadFuseNative();
    const bytes = Buffer.byteLength(mountPoint);
    if (bytes > MOUNT_POINT_BYTES_MAX) {
      throw new StoreError(
        "unsupported",
        `Cannot mount with fuse-native at ${mountPoint}: the path has ${bytes} bytes, ` +
          `at most ${MOUNT_POINT_BYTES_MAX} are possible`,
      );
    }
    const fuse = new FuseNative(mountPoint, fuseNativeHandlers(this.#fileSystem, log), {
      allowOther,
      defaultPermissions: true,
      kernelCache: true,
      entryTimeout: FOR_EVER_SECONDS,
      attrTimeout: FOR_EVER_SECONDS,
      maxRead: 1024 * 1024,
      subtype: MOUNT_SOURCE,
      fsname: [MOUNT_SOURCE, ...EXTRA_OPTIONS].join(","),
      timeout: false,
    });
    try {
      await settled((done) => fuse.mount(done));
    } catch (cause) {
      throw new StoreError(
        "unavailable",
        `Cannot mount with fuse-native at ${mountPoint}: ${messageOf(cause)}; ` +
          "libfuse has printed its reason above",
        { cause },
      );
    }
    return { ended: new Promise(() => {}), close: () => close(fuse) };
  }
}

function close(fuse: FuseNativeMount): Promise<void> {
  return settled((done) => fuse.unmount(done));
}

function settled(start: (done: (error: Error | null) => void) => void): Promise<void> {
  return new Promise((resolve, reject) => {
    start((error) => (error ? reject(error) : resolve()));
  });
}
