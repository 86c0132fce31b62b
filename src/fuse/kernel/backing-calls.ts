/**
 * Passthrough as the kernel offers it: a server registers an open file with its connection, and replies to
 * OPEN with the number it got. The kernel then reads that file itself. Asks for CAP_SYS_ADMIN.
 */
import { type ErrorCode, StoreError } from "../../base/errors.js";
import { libc } from "../../base/libc.js";

/** _IOW(229, 1, struct fuse_backing_map): descriptor i32, flags u32, padding u64, the latter two zero. */
const BACKING_OPEN = 0x4010_e501;
const BACKING_MAP_BYTES = 16;
/** _IOW(229, 2, u32): the number of a registered file. */
const BACKING_CLOSE = 0x4004_e502;

/** What {@link BackingFiles} asks of the kernel. */
export interface BackingCalls {
  /** Registers the file open as `descriptor` with the connection of `device`; its number, positive. */
  open(device: number, descriptor: number): number;
  /** Takes a registration back; files that are open with it go on. */
  close(device: number, id: number): void;
}

/**
 * The ioctls of /dev/fuse.
 *
 * They throw {@link StoreError}: `permission-denied` when we may not, or passthrough was not agreed upon in
 * INIT; `unsupported` when the kernel or the file system below the file cannot; else `unavailable`.
 */
export const backingCalls: BackingCalls = {
  open(device, descriptor) {
    const map = Buffer.alloc(BACKING_MAP_BYTES);
    map.writeInt32LE(descriptor);
    const id = libc().ioctl(device, BACKING_OPEN, map);
    if (id <= 0) throw failure("register a backing file");
    return id;
  },
  close(device, id) {
    const number = Buffer.alloc(4);
    number.writeUInt32LE(id);
    if (libc().ioctl(device, BACKING_CLOSE, number) !== 0) throw failure("release a backing file");
  },
};

const CODES: Readonly<Record<string, ErrorCode>> = {
  EPERM: "permission-denied",
  ENOTTY: "unsupported",
  EINVAL: "unsupported",
  EOPNOTSUPP: "unsupported",
  // Too many file systems on top of each other.
  ELOOP: "unsupported",
};

function failure(what: string): StoreError {
  const reason = libc().lastError();
  return new StoreError(CODES[reason] ?? "unavailable", `Cannot ${what} (${reason})`);
}
