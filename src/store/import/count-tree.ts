/**
 * Counting a tree while it is imported, so that a progress bar knows its end.
 */
import { lstatSync } from "node:fs";
import { setImmediate } from "node:timers/promises";
import type { ImportProgress } from "./ingest.js";
import { walk } from "./walk.js";

/** Entries between two chances for the import to go on. */
const TURN_ENTRIES = 256;

/**
 * How many entries and bytes the tree at `path` has now.
 *
 * @throws {StoreError} as the import of it would.
 */
export async function countTree(path: Uint8Array): Promise<ImportProgress> {
  let entries = 0;
  let bytes = 0;
  for (const step of walk(path)) {
    if (step.type === "folder-end") continue;
    if (step.type === "file") bytes += lstatSync(step.location as Buffer).size;
    if (++entries % TURN_ENTRIES === 0) await setImmediate();
  }
  return { entries, bytes };
}
