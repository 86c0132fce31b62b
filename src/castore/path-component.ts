/**
 * File names and symlink targets: raw bytes, as the kernel and NARs have them.
 */
import { quoteBytes } from "../base/bytes.js";
import { StoreError } from "../base/errors.js";

export const NAME_BYTES_MAX = 255;
export const TARGET_BYTES_MAX = 4095;

const SLASH = 0x2f;
const DOT = 0x2e;

/**
 * Checks a file name: 1 to 255 bytes, no slash, no NUL, not `.` or `..`. It need not be UTF-8.
 *
 * @throws {StoreError} `invalid-argument`, quoting the name.
 */
export function validateName(name: Uint8Array): void {
  const problem = nameProblem(name);
  if (problem !== undefined) {
    throw new StoreError("invalid-argument", `Invalid file name ${quoteBytes(name)}: ${problem}`);
  }
}

function nameProblem(name: Uint8Array): string | undefined {
  if (name.length === 0) return "it is empty";
  if (name.length > NAME_BYTES_MAX) return `it has ${name.length} bytes, at most 255 are allowed`;
  for (let index = 0; index < name.length; index++) {
    if (name[index] === SLASH) return "it contains a slash";
    if (name[index] === 0) return "it contains a NUL byte";
  }
  if (name[0] === DOT && (name.length === 1 || (name.length === 2 && name[1] === DOT))) {
    return "it names a folder relative to itself";
  }
  return undefined;
}

/**
 * Checks a symlink target: 1 to 4095 bytes, no NUL. It may be absolute, relative or dangling.
 *
 * @throws {StoreError} `invalid-argument`, quoting the target.
 */
export function validateTarget(target: Uint8Array): void {
  const problem =
    target.length === 0
      ? "it is empty"
      : target.length > TARGET_BYTES_MAX
        ? `it has ${target.length} bytes, at most ${TARGET_BYTES_MAX} are allowed`
        : target.includes(0)
          ? "it contains a NUL byte"
          : undefined;
  if (problem !== undefined) {
    const shown = quoteBytes(target.subarray(0, NAME_BYTES_MAX));
    throw new StoreError("invalid-argument", `Invalid symlink target ${shown}: ${problem}`);
  }
}
