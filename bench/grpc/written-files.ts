import { readdirSync, rmSync } from "node:fs";
import { join } from "node:path";

/**
 * The blob files that a store has been given since this was made. They are removed as soon as they are measured: a
 * virtual machine may need a millisecond for each MiB of memory that it has not used before, and a store in memory
 * that only grows would measure that.
 */
export class WrittenFiles {
  readonly #folder: string;
  readonly #before: ReadonlySet<string>;

  /** @param storeFolder of the store, as in `--store-dir` */
  constructor(storeFolder: string) {
    this.#folder = join(storeFolder, "blobs");
    this.#before = new Set(this.#list());
  }

  remove(): void {
    for (const path of this.#list()) {
      if (!this.#before.has(path)) rmSync(path);
    }
  }

  #list(): string[] {
    return readdirSync(this.#folder, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => join(entry.parentPath, entry.name));
  }
}
