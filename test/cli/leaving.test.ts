import { writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { expect, test } from "vitest";
import { runProgram } from "../support/child.js";
import { CLI, TestStore } from "../support/cli.js";
import { temporaryFolder } from "../support/temp.js";

const lmdb = createRequire(import.meta.url)("lmdb") as typeof import("lmdb");

/** Closing could destroy the locks of the index just when another process has found them. */
test("A command ends without closing the index of its store", async () => {
  const store = new TestStore();
  const file = join(temporaryFolder(), "file");
  writeFileSync(file, "content");
  await store.import(file);
  const index = lmdb.open({ path: join(store.folder, "index"), noSubdir: false });
  const words = ["-c", 'echo $$; exec "$@"', "sh", process.execPath, CLI, "path-info", "--all"];
  const { status, stdout } = await runProgram("sh", words, { env: store.environment });
  expect(status).toBe(0);
  const [pid = ""] = stdout.split("\n");
  // LMDB lists who has not closed it, and only then.
  const readers = index.readerList();
  await index.close();
  expect(readers).toMatch(new RegExp(`^ *${pid} `, "m"));
});
