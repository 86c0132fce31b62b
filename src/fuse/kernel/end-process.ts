import { require } from "../../base/require.js";

/**
 * Ends this process at once with `code`. Node's own exit waits for its threads, and one that is blocked in
 * the kernel, reading for a detached mount with files still open, never comes back.
 */
export function endProcess(code: number): void {
  const koffi = require("koffi") as typeof import("koffi");
  koffi.load(null).func("void _exit(int code)")(code);
}
