/**
 * Before all tests: removes the folders of runs that were killed. After them: removes what this run left itself, and
 * fails when that are many, as a disk is full after some dozens of runs that leave theirs.
 */
import { existsSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** Behind it come the number of the process that runs the tests, and a part that is different for each folder. */
export const TEMPORARY = "tvix-store-test-";

/** Nobody tidies up after files whose tests are all skipped, as where nothing can be mounted. */
const LEFT_MAX = 50;

export default function setup(): () => void {
  const run = String(process.pid);
  process.env["TEST_RUN"] = run;
  for (const folder of folders()) {
    if (!existsSync(`/proc/${folder.run}`)) remove(folder.path);
  }
  return () => {
    const left = folders().filter((folder) => folder.run === run);
    for (const { path } of left) remove(path);
    if (left.length <= LEFT_MAX) return;
    process.exitCode = 1;
    throw new Error(`tests left ${left.length} temporary folders behind`);
  };
}

function folders(): { readonly path: string; readonly run: string }[] {
  return readdirSync(tmpdir())
    .filter((name) => name.startsWith(TEMPORARY))
    .map((name) => ({
      path: join(tmpdir(), name),
      run: name.slice(TEMPORARY.length).split("-", 1)[0] ?? "",
    }));
}

function remove(folder: string): void {
  try {
    rmSync(folder, { recursive: true, force: true });
  } catch {
    // Something is mounted in it still, or it is someone else's.
  }
}
