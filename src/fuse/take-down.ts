/**
 * The end of a mount that we hold: in good order when nobody uses it, by force when patience runs out.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { StoreError } from "../base/errors.js";
import type { Logger } from "../base/log.js";
import { isMounted, isOnTop, type MountEntry, readMountTable } from "./mount-table.js";
import { findMountUsers } from "./mount-users.js";
import type { StopSignals } from "./stop-signals.js";
import { detach, detachCommand, unmount } from "./unmount.js";

/** How long a busy mount is given to become free before it is detached. */
const GRACE_MS = 5000;
const RETRY_MS = 250;

const USERS_SHOWN = 5;
const USERS_WAIT_MS = 1000;

/**
 * Unmounts `mount`, with patience while it is busy; detaches it when that runs out or a second signal
 * comes. Nothing is done when it is gone already.
 *
 * @throws {StoreError} `unavailable` when it cannot be taken down.
 */
export async function takeDown(mount: MountEntry, stop: StopSignals, log: Logger): Promise<void> {
  const { mountPoint } = mount;
  const deadlineMs = performance.now() + GRACE_MS;
  for (let attempt = 0; isMounted(readMountTable(), mount); attempt++) {
    if (!isOnTop(readMountTable(), mount)) throw covered(mountPoint);
    if (stop.count > 1 || performance.now() > deadlineMs) {
      log.warn({ mountPoint }, `Detaching ${mountPoint} while in use: files open in it will fail`);
      return detachMount(mount);
    }
    if (await isBusy(mount)) {
      const pause = attempt === 0 ? warnBusy(mountPoint, stop, log) : sleep(RETRY_MS);
      await Promise.race([pause, stop.wait(2)]);
    }
  }
}

/**
 * Detaches `mount` at once, whoever uses it; does nothing when it is gone or covered.
 *
 * @throws {StoreError} `unavailable` when that fails.
 */
export async function detachMount(mount: MountEntry): Promise<void> {
  if (!isOnTop(readMountTable(), mount)) return;
  await unlessGone(mount, detach(mount.mountPoint));
}

/** Tries to unmount, and tells whether the mount is in use instead. */
async function isBusy(mount: MountEntry): Promise<boolean> {
  return (await unlessGone(mount, unmount(mount.mountPoint))) === "busy";
}

/** Someone else may unmount in the same moment; then our own attempt fails for the best of reasons. */
async function unlessGone<T>(mount: MountEntry, attempt: Promise<T>): Promise<T | undefined> {
  try {
    return await attempt;
  } catch (error) {
    if (isMounted(readMountTable(), mount)) throw error;
    return undefined;
  }
}

function covered(mountPoint: string): StoreError {
  return new StoreError(
    "unavailable",
    `Cannot unmount ${mountPoint}: something else was mounted over it. Unmount that, then run ` +
      `\`${detachCommand(mountPoint)}\``,
  );
}

async function warnBusy(mountPoint: string, stop: StopSignals, log: Logger): Promise<void> {
  // A process stuck in the kernel can hold up the search; the list is a courtesy.
  const search = findMountUsers(mountPoint, USERS_SHOWN).catch(() => []);
  const users = await Promise.race([search, sleep(USERS_WAIT_MS, [])]);
  if (stop.count > 1) return;
  const shown = users.map(({ pid, command }) => `${command} (${pid})`).join(", ");
  log.warn(
    { mountPoint },
    `${mountPoint} is in use${shown === "" ? "" : ` by ${shown}`}: ` +
      `detaching it in ${GRACE_MS / 1000} s, or at once on a second signal`,
  );
}
