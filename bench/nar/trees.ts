/**
 * What is dumped, hashed and restored: content that cannot be compressed, the same on every run.
 */
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { noiseWriter } from "../support/noise-file.js";

export const BIG_BYTES = 2 ** 30;
export const SMALL_FILES = 20_000;
const FILES_PER_FOLDER = 500;
const SMALL_BYTES_MAX = 8192;

/** A file of 1 GiB at `big`, a folder of 20,000 files of 1 to 8 KiB at `small`. */
export function makeTrees(big: string, small: string): void {
  const write = noiseWriter();
  write(big, BIG_BYTES);
  for (let index = 0; index < SMALL_FILES; index++) {
    const folder = join(small, `${Math.floor(index / FILES_PER_FOLDER)}`);
    if (index % FILES_PER_FOLDER === 0) mkdirSync(folder, { recursive: true });
    write(join(folder, `file-${index}`), 1024 + ((index * 37) % (SMALL_BYTES_MAX - 1024)));
  }
}
