/**
 * How far the kernel reads ahead of a program that reads a file from front to back. A server cannot ask
 * for more than the kernel's 128 KiB; root can set more, for each mount.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { messageOf } from "../../base/errors.js";
import type { Logger } from "../../base/log.js";

/** As large as the largest request; more gains nothing. */
const READ_AHEAD_KIB = 1024;

/**
 * Raises the read-ahead of a mount where we may; a mount works without. `device` is `major:minor`, see
 * `MountEntry`. To be called once INIT is answered: the answer lowers it again.
 */
export function raiseReadAhead(device: string, log: Logger): void {
  const file = `/sys/class/bdi/${device}/read_ahead_kb`;
  try {
    if (Number(readFileSync(file, "utf8")) < READ_AHEAD_KIB) {
      writeFileSync(file, String(READ_AHEAD_KIB));
    }
  } catch (error) {
    log.debug({ device }, `Left the read-ahead of the mount as it is: ${messageOf(error)}`);
  }
}
