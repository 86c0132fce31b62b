import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { TEMPORARY } from "./leftovers.js";

const undo: (() => void)[] = [];

/** A folder that lives as long as the test file. */
export function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), `${TEMPORARY}${process.env["TEST_RUN"]}-`));
  atEndOfFile(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** What is done last is undone first. */
export function atEndOfFile(action: () => void): void {
  undo.push(action);
}

export function endFile(): void {
  for (let action = undo.pop(); action !== undefined; action = undo.pop()) action();
}
