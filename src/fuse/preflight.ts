/**
 * Whether this machine can mount at all, and what to do where it cannot.
 */
import { accessSync, closeSync, constants, openSync, readFileSync } from "node:fs";
import { delimiter, join } from "node:path";
import { errnoOf, StoreError } from "../base/errors.js";

/** What mounting depends on. */
export interface Machine {
  readonly root: boolean;
  /** CAP_SYS_ADMIN, which mount(2) asks for; containers take it from root. */
  readonly mayMount: boolean;
  /** The Node error code of opening /dev/fuse for reading and writing; `undefined` when that works. */
  readonly deviceError: string | undefined;
  /** Whether a `fusermount3` or `fusermount` is in PATH: it mounts for users who are not root. */
  readonly fusermount: boolean;
  /** Whether /etc/fuse.conf lets users choose `allow_other`. */
  readonly userAllowOther: boolean;
}

/**
 * What keeps `machine` from mounting: empty when nothing does. Each error says what to do; its code is
 * `unsupported` when something is missing, `permission-denied` when a right is.
 */
export function mountObstacles(
  machine: Machine,
  { allowOther }: { readonly allowOther: boolean },
): StoreError[] {
  const obstacles: StoreError[] = [];
  const { deviceError, root } = machine;
  if (deviceError === "EACCES" || deviceError === "EPERM") {
    obstacles.push(
      new StoreError(
        "permission-denied",
        `Cannot mount: /dev/fuse may not be opened (${deviceError}). ${DEVICE_RIGHTS_HINT}`,
      ),
    );
  } else if (deviceError !== undefined) {
    obstacles.push(
      new StoreError(
        "unsupported",
        `Cannot mount: /dev/fuse cannot be opened (${deviceError}). ${DEVICE_HINT}`,
      ),
    );
  }
  if (root && !machine.mayMount) {
    obstacles.push(
      new StoreError(
        "permission-denied",
        "Cannot mount: this root lacks CAP_SYS_ADMIN. Start the container with --cap-add SYS_ADMIN",
      ),
    );
  }
  if (!root && !machine.fusermount) {
    obstacles.push(
      new StoreError(
        "unsupported",
        "Cannot mount without root: fusermount3 is not in PATH. Install fuse3",
      ),
    );
  }
  if (!root && allowOther && !machine.userAllowOther) {
    obstacles.push(
      new StoreError(
        "permission-denied",
        "Cannot mount with --allow-other: /etc/fuse.conf does not permit it to users. Add the line " +
          "user_allow_other there, or leave the option out",
      ),
    );
  }
  return obstacles;
}

const DEVICE_HINT =
  "Load the kernel module with `modprobe fuse`; start a container with --device /dev/fuse";
const DEVICE_RIGHTS_HINT =
  "Ask for mode 0666, as distributions ship it; start a container with --device /dev/fuse";

/** Looks at this machine. Nothing is changed. */
export function inspectMachine(): Machine {
  return {
    root: process.geteuid?.() === 0,
    mayMount: hasSysAdmin(readText("/proc/self/status")),
    deviceError: openError("/dev/fuse"),
    fusermount: isInPath("fusermount3") || isInPath("fusermount"),
    userAllowOther: permitsAllowOther(readText("/etc/fuse.conf")),
  };
}

/** Whether the effective capabilities in `status`, a /proc/PID/status, hold CAP_SYS_ADMIN. */
export function hasSysAdmin(status: string): boolean {
  const effective = /^CapEff:\s*([0-9a-f]+)$/m.exec(status)?.[1];
  return effective !== undefined && ((BigInt(`0x${effective}`) >> 21n) & 1n) === 1n;
}

/** Whether `conf`, the text of a fuse.conf, holds the line `user_allow_other`, not commented out. */
export function permitsAllowOther(conf: string): boolean {
  return /^\s*user_allow_other\s*$/m.test(conf);
}

function openError(path: string): string | undefined {
  try {
    closeSync(openSync(path, constants.O_RDWR));
    return undefined;
  } catch (error) {
    return errnoOf(error) ?? "unknown";
  }
}

function isInPath(program: string): boolean {
  return (process.env["PATH"] ?? "").split(delimiter).some((folder) => {
    try {
      accessSync(join(folder, program), constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}

function readText(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}
