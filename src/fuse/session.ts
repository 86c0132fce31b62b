/**
 * One mount from beginning to end: checked, mounted, watched, and taken down by a signal, by an outside
 * `umount`, or because the engine failed. Whichever way it ends, no dead mount stays behind.
 */
import type { EventEmitter } from "node:events";
import { setTimeout as sleep } from "node:timers/promises";
import { StoreError } from "../base/errors.js";
import type { Logger } from "../base/log.js";
import type { EngineMount, MountEngine } from "./engine.js";
import { prepareMountPoint } from "./mount-point.js";
import {
  isMounted,
  isOnTop,
  isOurs,
  type MountEntry,
  mountAt,
  readMountTable,
} from "./mount-table.js";
import { inspectMachine, mountObstacles } from "./preflight.js";
import { StopSignals } from "./stop-signals.js";
import { detachMount, takeDown } from "./take-down.js";
import { detachSync } from "./unmount.js";

export interface SessionOptions {
  readonly engine: MountEngine;
  /** Where to mount; relative to the working directory, symlinks are followed. */
  readonly mountPoint: string;
  /** Whether to create the mount point when it is absent. */
  readonly create: boolean;
  readonly allowOther: boolean;
  readonly log: Logger;
  /** Called once, when the mount is usable, with its real path. */
  readonly onMounted: (mountPoint: string) => void;
  /** What emits SIGINT, SIGTERM and SIGHUP; `process` unless told. */
  readonly signals?: EventEmitter;
}

/** How soon an outside `umount` is noticed. */
const WATCH_MS = 500;

/**
 * Mounts and stays until the mount has ended. The first signal unmounts; a second one, while programs
 * still use the mount, detaches it at once. Files open in a detached mount fail when the process ends,
 * which then takes `process.exit`: a thread of the engine may be waiting for the kernel.
 *
 * @throws {StoreError} when this machine cannot mount, the mount point will not do, the engine fails, or
 *   the mount cannot be taken down; the message says what to do.
 */
export async function runMountSession(options: SessionOptions): Promise<void> {
  const stop = new StopSignals(options.signals);
  try {
    const { engine, allowOther, create, log } = options;
    const obstacle = mountObstacles(inspectMachine(), { allowOther })[0];
    if (obstacle !== undefined) throw obstacle;
    const mountPoint = await prepareMountPoint(options.mountPoint, { create, log });
    if (stop.count > 0) return;
    const mount = await engine.mount({ mountPoint, allowOther, log });
    try {
      await attend(mount, mountPoint, stop, options);
    } finally {
      await mount.close();
    }
  } finally {
    stop.close();
  }
}

/** Sees a fresh mount through to its end. */
async function attend(
  mount: EngineMount,
  mountPoint: string,
  stop: StopSignals,
  { log, onMounted }: SessionOptions,
): Promise<void> {
  const entry = mountAt(readMountTable(), mountPoint);
  if (entry === undefined || !isOurs(entry)) {
    throw new StoreError("unavailable", `The mount at ${mountPoint} was taken down at once`);
  }
  // For an exception elsewhere in the process, or someone's process.exit. Before all other listeners: an
  // engine may have to end the process in one of its own.
  const onExit = (): void => {
    if (isOnTop(readMountTable(), entry)) detachSync(mountPoint);
  };
  process.prependListener("exit", onExit);
  try {
    onMounted(mountPoint);
    await untilEnd(mount, entry, stop);
    await takeDown(entry, stop, log);
  } finally {
    await detachMount(entry);
    process.off("exit", onExit);
  }
}

/** Waits for the first of: the engine's end, a signal, the mount gone from the table. */
async function untilEnd(mount: EngineMount, entry: MountEntry, stop: StopSignals): Promise<void> {
  const watch = new AbortController();
  try {
    await Promise.race([mount.ended, stop.wait(1), untilGone(entry, watch.signal)]);
  } finally {
    watch.abort();
  }
}

async function untilGone(entry: MountEntry, signal: AbortSignal): Promise<void> {
  while (isMounted(readMountTable(), entry)) await sleep(WATCH_MS, undefined, { signal });
}
