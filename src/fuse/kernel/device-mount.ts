/**
 * Mounts a FUSE connection and hands out its end of the wire. Root opens /dev/fuse and has mount(8) attach
 * it; others have libfuse's helper do both. What the kernel asks from then on waits in the descriptor,
 * INIT first, so nothing needs to be served yet.
 */
import { closeSync, constants, openSync } from "node:fs";
import { errnoOf, messageOf, StoreError } from "../../base/errors.js";
import { INHERITED } from "../child.js";
import { MOUNT_SOURCE } from "../engine.js";
import { mountWithHelper } from "./fusermount.js";
import { runMountProgram } from "./mount-program.js";

export interface DeviceMountOptions {
  /** Absolute, without symlinks; an existing folder. */
  readonly mountPoint: string;
  /** Whether users other than the one who mounts may look inside. */
  readonly allowOther: boolean;
}

/** The kernel checks permissions from modes and owners, so that we are not asked. */
const OPTIONS = ["ro", "default_permissions", "nosuid", "nodev", "noatime"];

/**
 * Mounts at `mountPoint` and returns the open device, which programs started later do not inherit. It is
 * the caller's to close; the mount is dead from then on, and stays until it is unmounted.
 *
 * @throws {StoreError} `unsupported` when a program, library or device is missing, `permission-denied`
 *   when the device may not be opened, `unavailable` with the program's own words when mounting fails.
 *   Then nothing is mounted, unless the program did not end in time.
 */
export function mountDevice({ mountPoint, allowOther }: DeviceMountOptions): Promise<number> {
  const options = [...OPTIONS, `subtype=${MOUNT_SOURCE}`, ...(allowOther ? ["allow_other"] : [])];
  return process.geteuid?.() === 0
    ? mountAsRoot(mountPoint, options)
    : mountWithHelper(mountPoint, [...options, `fsname=${MOUNT_SOURCE}`]);
}

async function mountAsRoot(mountPoint: string, options: readonly string[]): Promise<number> {
  const descriptor = openDevice();
  try {
    const connection = [`fd=${INHERITED}`, "rootmode=40555", "user_id=0", "group_id=0"];
    // Type fuse with a subtype, not fuse.tvix-store: newer mount(8) drops what follows the dot. And -i,
    // or else it looks for a helper of libfuse, which wants to start the server itself.
    const list = [...connection, ...options].join(",");
    const args = ["-i", "-t", "fuse", "-o", list, MOUNT_SOURCE, mountPoint];
    if (!(await runMountProgram("mount", args, { descriptor }))) {
      throw new StoreError("unsupported", `Cannot mount at ${mountPoint}: mount is not in PATH`);
    }
    return descriptor;
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
