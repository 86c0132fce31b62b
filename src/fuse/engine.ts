/**
 * What every mount engine offers. An engine is built around the file system it serves, in whatever form
 * its threads need; from here on it only mounts and releases. Unmounting is the same for all engines and
 * belongs to the session.
 */
import type { Logger } from "../base/log.js";

/** The first column of `df` and the source in the mount table. */
export const MOUNT_SOURCE = "tvix-store";

/** The type of our mounts in the mount table; how a later start recognises them. */
export const MOUNT_TYPE = `fuse.${MOUNT_SOURCE}`;

export type EngineName = "fuse-native" | "kernel";

export interface MountEngine {
  readonly name: EngineName;

  /**
   * Mounts at `options.mountPoint` and serves from then on. Resolves when the kernel has taken up the
   * connection, that is when the mount is usable.
   *
   * @throws {StoreError} `unsupported` when this engine cannot run here, `unavailable` when the mount
   *   was refused; then nothing is mounted.
   */
  mount(options: MountOptions): Promise<EngineMount>;
}

export interface MountOptions {
  /** Absolute, without symlinks; an existing folder that nothing is mounted on. */
  readonly mountPoint: string;
  /** Whether users other than the one who mounts may look inside. */
  readonly allowOther: boolean;
  readonly log: Logger;
}

/** A mount as the engine that serves it sees it. */
export interface EngineMount {
  /**
   * Resolves when the kernel has ended the connection, rejects when the engine can serve no more. An
   * engine that is told of neither leaves it pending; the session watches the mount table besides.
   */
  readonly ended: Promise<void>;

  /**
   * Lets go of threads and handles, so that the process can end. To be called once the mount is gone
   * or detached; files still open in a detached mount fail from then on or when the process ends.
   */
  close(): Promise<void>;
}
