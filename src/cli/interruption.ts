import { setMaxListeners } from "node:events";
import { StoreError } from "../base/errors.js";
import { StopSignals } from "../fuse/stop-signals.js";

const EXIT_FAILED = 1;

/**
 * Runs `task` with a signal that fires at Ctrl-C, SIGTERM or SIGHUP, so that it can clean up; it then fails
 * with code `aborted`. A second one ends the process at once.
 */
export async function interruptible<T>(task: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const signals = new StopSignals();
  const abort = new AbortController();
  // Everything that is under way at once listens.
  setMaxListeners(0, abort.signal);
  signals.wait(1).then(() => abort.abort(new StoreError("aborted", "Interrupted")));
  signals.wait(2).then(() => process.exit(EXIT_FAILED));
  try {
    return await task(abort.signal);
  } finally {
    signals.close();
  }
}
