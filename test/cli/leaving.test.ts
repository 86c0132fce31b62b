import { execFileSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
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

/** As the library behind the index does, in a thread that is ended while it opens one. */
test("A mount ends although a thread never comes back", async () => {
  const folder = temporaryFolder();
  const pipe = join(folder, "pipe");
  execFileSync("mkfifo", [pipe]);
  writeFileSync(
    join(folder, "thread.mjs"),
    `import { openSync } from "node:fs"; openSync(${JSON.stringify(pipe)});`,
  );
  const pool = new URL("../../build/fuse/kernel/worker-pool.js", import.meta.url);
  writeFileSync(
    join(folder, "main.mjs"),
    `import { WorkerPool } from ${JSON.stringify(fileURLToPath(pool))};
    const module = new URL("thread.mjs", import.meta.url);
    const pool = new WorkerPool({ module, recipe: {}, count: 1, log: {} });
    pool.serve({ device: -1, connection: {}, backing: undefined }, () => {});
    setTimeout(async () => {
      await pool.close();
      process.exit(3);
    }, 500);`,
  );
  const options = { timeoutMs: 30_000 };
  const { status } = await runProgram(process.execPath, [join(folder, "main.mjs")], options);
  expect(status).toBe(3);
});
