/**
 * The two kinds of cold.
 */
import { closeSync, openSync, readdirSync, readSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { run } from "../support/run.js";

/** Drops pages, names and inodes of all file systems from the kernel's caches. Takes root. */
export function dropCaches(): void {
  // What is not on disk yet cannot be dropped.
  run("sync", []);
  writeFileSync("/proc/sys/vm/drop_caches", "3");
}

const buffer = Buffer.alloc(2 ** 20);

/** Brings a file, or everything in a folder, into the page cache by reading it. */
export function warm(path: string): void {
  if (statSync(path).isDirectory()) {
    for (const name of readdirSync(path)) warm(join(path, name));
    return;
  }
  const file = openSync(path, "r");
  try {
    while (readSync(file, buffer) > 0);
  } finally {
    closeSync(file);
  }
}
