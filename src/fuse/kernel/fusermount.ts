/**
 * Mounting without being root, through the set-uid helper of libfuse: it opens the device, mounts it, and
 * sends it over a socket whose number it finds in `_FUSE_COMMFD`.
 */
import { StoreError } from "../../base/errors.js";
import { INHERITED } from "../child.js";
import { DescriptorSocket } from "./descriptor-socket.js";
import { runMountProgram } from "./mount-program.js";

/** Of libfuse 3 and 2; they take the same options. */
const HELPERS = ["fusermount3", "fusermount"];

/**
 * Mounts at `mountPoint` and returns the open device. `options` must hold no comma and no backslash.
 *
 * @throws {StoreError} as {@link mountDevice} does.
 */
export async function mountWithHelper(
  mountPoint: string,
  options: readonly string[],
): Promise<number> {
  const socket = new DescriptorSocket();
  try {
    await runHelper(mountPoint, options, socket.theirs);
    // The helper has ended: what it had to send is here.
    const device = socket.receive();
    if (device !== undefined) return device;
    throw new StoreError("unavailable", `Cannot mount at ${mountPoint}: no device was sent`);
  } finally {
    socket.close();
  }
}

async function runHelper(
  mountPoint: string,
  options: readonly string[],
  descriptor: number,
): Promise<void> {
  const args = ["-o", options.join(","), "--", mountPoint];
  const environment = { _FUSE_COMMFD: String(INHERITED) };
  for (const program of HELPERS) {
    if (await runMountProgram(program, args, { descriptor, environment })) return;
  }
  throw new StoreError(
    "unsupported",
    `Cannot mount at ${mountPoint} without root: fusermount3 is not in PATH. Install fuse3`,
  );
}
