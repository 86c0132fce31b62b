/**
 * Mounts a FUSE connection and hands out its end of the wire. Root opens /dev/fuse and attaches it; others have
 * libfuse's helper do both. What the kernel asks from then on waits in the descriptor, INIT first, so nothing needs
 * to be served yet.
 */
import { closeSync, constants, openSync, readFileSync } from "node:fs";
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
 *   when the device may not be opened or mounting is forbidden, `unavailable` with the reason when it fails otherwise.
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
    throw mountFailure(mountPoint, lastError(), appArmorProfile());
  } catch (error) {
    closeSync(descriptor);
    throw error;
  }
}

/**
 * Why mount(2) failed with `reason`, a Node error code, and what to do about it.
 *
 * @param profile of AppArmor, that this process is held to: `docker-default (enforce)`. Docker's forbids to mount to
 *   those with CAP_SYS_ADMIN, too, which the kernel reports as EACCES.
 */
export function mountFailure(mountPoint: string, reason: string, profile: string): StoreError {
  const what = `Cannot mount at ${mountPoint}: ${reason}`;
  if (reason !== "EACCES") return new StoreError("unavailable", what);
  const hint = profile.endsWith("(enforce)")
    ? `. The AppArmor profile ${profile} may forbid it: start the container with --security-opt apparmor=unconfined`
    : "";
  return new StoreError("permission-denied", `${what}${hint}`);
}

/** Empty where there is none. */
function appArmorProfile(): string {
  try {
    return readFileSync("/proc/self/attr/current", "utf8").trim();
  } catch {
    return "";
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
