/**
 * Mounts a FUSE connection and hands out its end of the wire. Root opens /dev/fuse and attaches it; others have
 * libfuse's helper do both. What the kernel asks from then on waits in the descriptor, INIT first, so nothing needs
 * to be served yet.
 */
import { closeSync, constants, openSync } from "node:fs";
import { errnoOf, messageOf, StoreError } from "../../base/errors.js";
import { libc } from "../../base/libc.js";
import { MOUNT_SOURCE, MOUNT_TYPE } from "../engine.js";
import { mountWithHelper } from "./fusermount.js";

export interface DeviceMountOptions {
  /** Absolute, without symlinks; an existing folder. */
  readonly mountPoint: string;
  /** Whether users other than the one who mounts may look inside. */
  readonly allowOther: boolean;
}

/** Of mount(2), as in <sys/mount.h>. */
const FLAGS = { ro: 1, nosuid: 2, nodev: 4, noatime: 1024 } as const;
/** For the kernel, so that it checks permissions from modes and owners and does not ask us. */
const DEFAULT_PERMISSIONS = "default_permissions";

/**
 * Mounts at `mountPoint` and returns the open device, which programs started later do not inherit. It is
 * the caller's to close; the mount is dead from then on, and stays until it is unmounted.
 *
 * @throws {StoreError} `unsupported` when a program, library or device is missing, `permission-denied`
 *   when the device may not be opened, `unavailable` with the reason when mounting fails.
 *   Then nothing is mounted, unless the helper did not end in time.
 */
export async function mountDevice({ mountPoint, allowOther }: DeviceMountOptions): Promise<number> {
  const options = [DEFAULT_PERMISSIONS, ...(allowOther ? ["allow_other"] : [])];
  if (process.geteuid?.() === 0) return mountAsRoot(mountPoint, options);
  const names = [`subtype=${MOUNT_SOURCE}`, `fsname=${MOUNT_SOURCE}`];
  return await mountWithHelper(mountPoint, [...Object.keys(FLAGS), ...options, ...names]);
}

/** Not through mount(8): to start a program takes longer than all of the rest. */
function mountAsRoot(mountPoint: string, options: readonly string[]): number {
  const descriptor = openDevice();
  try {
    const connection = [`fd=${descriptor}`, "rootmode=40555", "user_id=0", "group_id=0"];
    const flags = Object.values(FLAGS).reduce((sum, flag) => sum | flag, 0);
    const data = [...connection, ...options].join(",");
    const { mount, lastError } = libc();
    if (mount(MOUNT_SOURCE, mountPoint, MOUNT_TYPE, flags, data) === 0) return descriptor;
    throw new StoreError("unavailable", `Cannot mount at ${mountPoint}: ${lastError()}`);
  } catch (error) {
    closeSync(descriptor);
    throw error;
  }
}

function openDevice(): number {
  try {
    return openSync("/dev/fuse", constants.O_RDWR);
  } catch (cause) {
    const denied = ["EACCES", "EPERM"].includes(errnoOf(cause) ?? "");
    throw new StoreError(
      denied ? "permission-denied" : "unsupported",
      `Cannot mount: ${messageOf(cause)}`,
      { cause },
    );
  }
}
