import { libc } from "../../base/libc.js";

/**
 * Has this process end at once when it ends, until what this returns is called. Node's own exit ends its threads and
 * waits for them. One that is blocked in the kernel, reading for a detached mount with files still open, never comes
 * back; nor may one that is just opening an index.
 */
export function endAtOnce(): () => void {
  const end = (code: number): void => libc()._exit(code);
  process.on("exit", end);
  return () => process.off("exit", end);
}
