import { appendFileSync, mkdirSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { TestStore } from "../support/cli.js";
import { temporaryFolder } from "../support/temp.js";

const folder = temporaryFolder();
/** Sparse: reading it takes the import far longer than the pause between two changes. */
const LARGE_BYTES = 400_000_000;
const PAUSE_MS = 2;

test.each<[title: string, change: (tree: string, turn: number) => void, at: string]>([
  ["grows", (tree) => appendFileSync(join(tree, "large"), "x"), "/large"],
  [
    "is written to",
    (tree) => writeFileSync(join(tree, "large"), "x", { flag: "r+", flush: false }),
    "/large",
  ],
  [
    "is cut short",
    (tree, turn) => truncateSync(join(tree, "large"), LARGE_BYTES - turn * 1000),
    "/large",
  ],
  ["gets a new neighbour", (tree, turn) => writeFileSync(join(tree, `new ${turn}`), ""), ""],
])("A file that %s while it is imported is not stored half", async (title, change, at) => {
  const tree = join(folder, title.replaceAll(" ", "-"));
  mkdirSync(tree);
  writeFileSync(join(tree, "large"), "");
  truncateSync(join(tree, "large"), LARGE_BYTES);
  const store = new TestStore(join(folder, `store ${title}`));
  let turn = 0;
  const timer = setInterval(() => change(tree, ++turn), PAUSE_MS);
  const { status, stdout, stderr } = await store.run(["import", tree]).finally(() => {
    clearInterval(timer);
  });
  expect([status, stdout]).toEqual([1, ""]);
  expect(stderr).toBe(
    `tvix-store: Cannot read "${tree}${at}": it changed while it was being read\n`,
  );
  expect(await store.list()).toEqual([]);
  rmSync(tree, { recursive: true });
});
