import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { noise } from "../support/bytes.js";
import { TestStore } from "../support/cli.js";
import { measured, PEAK_BYTES_MAX } from "../support/peak-memory.js";
import { temporaryFolder } from "../support/temp.js";

const FILES = 100_000;
const FILES_PER_FOLDER = 500;

test("Importing 100,000 small files takes less than 300 MB of memory", async () => {
  const tree = join(temporaryFolder(), "tree");
  const content = noise(3000);
  for (let index = 0; index < FILES; index++) {
    const folder = join(tree, `${Math.floor(index / FILES_PER_FOLDER)}`);
    if (index % FILES_PER_FOLDER === 0) mkdirSync(folder, { recursive: true });
    content.writeUInt32LE(index);
    writeFileSync(join(folder, `${index}`), content.subarray(0, 500 + (index % 2500)));
  }
  const store = new TestStore();
  const outcome = await measured(store, ["import", tree], 600_000);
  expect(outcome).toMatchObject({ status: 0, stderr: "" });
  console.log(`peak while importing 100,000 files: ${Math.round(outcome.peakBytes / 1e6)} MB`);
  expect(outcome.peakBytes).toBeGreaterThan(0);
  expect(outcome.peakBytes).toBeLessThan(PEAK_BYTES_MAX);

  const listing = await store.output("ls", "-R", outcome.stdout.trimEnd());
  expect(listing.split("\n")).toHaveLength(FILES + FILES / FILES_PER_FOLDER + 1);
}, 600_000);
