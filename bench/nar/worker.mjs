/**
 * A process that lives long: it has the store open and does what its parent asks, over and over (`Task` in
 * lines.ts). NARs go to stdout; it answers with the milliseconds that each task took. Not compiled with the
 * rest of the measurements: it uses the build of the product.
 *
 *   worker.mjs STORE-DIR
 */
import { closeSync, openSync } from "node:fs";
import { prepareForBulk } from "../../build/base/bulk-memory.js";
import { readInTurn } from "../../build/cli/input.js";
import { writeAll } from "../../build/cli/output.js";
import { startRestoreHelper } from "../../build/cli/restore-threads.js";
import { openServices } from "../../build/cli/services.js";
import { findObject, parseObjectArgument } from "../../build/cli/store-object.js";
import { hashTree } from "../../build/store/import/hash-tree.js";
import { renderNar } from "../../build/store/nar/render.js";
import { restoreNar } from "../../build/store/nar/restore.js";

// As servers do.
prepareForBulk();
const services = await openServices({ storeDir: process.argv[2] }, { create: false });

async function perform(task) {
  if (task.type === "restore") {
    const file = openSync(task.nar);
    await restoreNar(readInTurn(file), Buffer.from(task.dest), { help: startRestoreHelper });
    closeSync(file);
    return;
  }
  if (task.type === "hash") {
    hashTree(Buffer.from(task.path), "sha256");
    return;
  }
  const { node } = await findObject(parseObjectArgument(task.storePath), services);
  await writeAll(renderNar(node, services, { transient: true }));
}

process.on("message", async (task) => {
  const started = performance.now();
  await perform(task);
  process.send(performance.now() - started);
});
process.on("disconnect", async () => {
  await services[Symbol.asyncDispose]();
  process.exit();
});
process.send("ready");
