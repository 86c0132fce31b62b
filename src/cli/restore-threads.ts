/**
 * The thread that helps a restore. It runs `restore-worker.ts`.
 */
import { RestoreHelper } from "../store/nar/restore-helper.js";

export function startRestoreHelper(): RestoreHelper {
  // This module stays beside that one when the program is bundled.
  return new RestoreHelper(new URL("./restore-worker.js", import.meta.url));
}
