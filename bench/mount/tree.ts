/**
 * The tree that every contender shows. Its content is the same on every run and cannot be compressed.
 */
import { chmodSync, copyFileSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { noiseWriter } from "../support/noise-file.js";

export const SMALL_FILES = 10_000;
const SMALL_BYTES = 4096;
export const BIG_BYTES = 2 ** 30;

/** Paths in the tree. */
export const WALKED = "walked";
export const READ = "read";
export const BIG = "big";
export const NODE = "bin/node";
export const CLIENT = "bin/client";

/** Makes the tree at `root`, which must not exist. `client` is the compiled client.c. */
export function makeTree(root: string, client: string): void {
  const write = noiseWriter();
  for (const folder of [WALKED, READ]) {
    mkdirSync(join(root, folder), { recursive: true });
    for (let index = 0; index < SMALL_FILES; index++) {
      write(join(root, folder, `file-${String(index).padStart(5, "0")}`), SMALL_BYTES);
    }
  }
  write(join(root, BIG), BIG_BYTES);
  mkdirSync(join(root, "bin"));
  for (const [program, path] of [
    [process.execPath, NODE],
    [client, CLIENT],
  ] as const) {
    copyFileSync(program, join(root, path));
    chmodSync(join(root, path), 0o755);
  }
}
