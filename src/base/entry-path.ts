const NO_NAME = new Uint8Array(0);

/**
 * Where `name` is in the folder that is open as `descriptor`, whatever has become of the folder's own name;
 * without one, the folder itself. In this process only.
 */
export function entryPath(descriptor: number, name: Uint8Array = NO_NAME): Buffer {
  return Buffer.concat([Buffer.from(`/proc/self/fd/${descriptor}/`), name]);
}
