import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll } from "vitest";

const folders: string[] = [];

/** For a hundred thousand files on a busy machine. */
const REMOVAL_MS = 300_000;

// Here, where it counts for the whole file: a hook that a running test adds is never called.
afterAll(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true });
}, REMOVAL_MS);

/** A folder that lives as long as the test file. */
export function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), "tvix-store-test-"));
  folders.push(folder);
  return folder;
}
