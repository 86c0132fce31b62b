/**
 * The folders of a store directory, format 1 (docs/formats.md):
 *
 *   FORMAT    "tvix-store 1\n"
 *   index/    one LMDB environment
 *   blobs/    large blobs: blobs/ab/cdef…, raw bytes, mode 0444
 *   tmp/      unfinished uploads
 */
import { mkdir, open, readdir, readFile, rename } from "node:fs/promises";
import { dirname, join } from "node:path";
import { errnoOf, messageOf, StoreError } from "../../base/errors.js";
import type { B3Digest } from "../digest.js";
import { createUploadFile } from "./upload-file.js";

const FORMAT_TEXT = "tvix-store 1\n";

/** Where things lie below one store directory. */
export class StoreLayout {
  readonly root: string;

  constructor(root: string) {
    this.root = root;
  }

  get index(): string {
    return join(this.root, "index");
  }

  get blobs(): string {
    return join(this.root, "blobs");
  }

  get tmp(): string {
    return join(this.root, "tmp");
  }

  blobFolder(digest: B3Digest): string {
    return join(this.blobs, digest.hex.slice(0, 2));
  }

  blobFile(digest: B3Digest): string {
    return join(this.blobFolder(digest), digest.hex.slice(2));
  }

  /**
   * Makes the store directory, or checks the one that is there. Safe to run in several processes at once;
   * one that is killed half-way is completed by the next.
   *
   * @throws {StoreError} `unsupported` for another format, `invalid-argument` when the directory holds
   *   something else, `unavailable` when it cannot be made or read.
   */
  async prepare(): Promise<void> {
    try {
      const exists = await this.exists();
      if (!exists) await this.#refuseStrangers();
      for (const folder of [this.index, this.blobs, this.tmp]) {
        await mkdir(folder, { recursive: true });
      }
      if (!exists) await this.#writeFormat();
    } catch (error) {
      throw this.#unusable(error);
    }
  }

  /**
   * Whether there is a store.
   *
   * @throws {StoreError} `unsupported` when it has another format.
   */
  async exists(): Promise<boolean> {
    let format: string;
    try {
      format = await readFile(join(this.root, "FORMAT"), "utf8");
    } catch (error) {
      if (errnoOf(error) === "ENOENT") return false;
      throw this.#unusable(error);
    }
    if (format === FORMAT_TEXT) return true;
    throw new StoreError(
      "unsupported",
      `The store at ${this.root} has format ${JSON.stringify(format.trim())}, this version of tvix-store ` +
        `reads ${JSON.stringify(FORMAT_TEXT.trim())}: use the version that wrote it, or another --store-dir`,
    );
  }

  /** A folder that someone uses for something else must not become a store by a slip of the hand. */
  async #refuseStrangers(): Promise<void> {
    await mkdir(this.root, { recursive: true });
    const names = await readdir(this.root);
    const stranger = names.find((name) => !["FORMAT", "index", "blobs", "tmp"].includes(name));
    if (stranger === undefined) return;
    throw new StoreError(
      "invalid-argument",
      `${this.root} is not a store and not empty (it holds ${JSON.stringify(stranger)}): ` +
        "choose another --store-dir",
    );
  }

  async #writeFormat(): Promise<void> {
    const { path, handle } = await createUploadFile(this.tmp);
    try {
      await handle.writeFile(FORMAT_TEXT);
      await handle.sync();
    } finally {
      await handle.close();
    }
    await rename(path, join(this.root, "FORMAT"));
    await syncFolder(this.root);
    await syncFolder(dirname(this.root));
  }

  #unusable(error: unknown): StoreError {
    if (error instanceof StoreError) return error;
    const hint = errnoOf(error) === "EACCES" ? " (choose another with --store-dir)" : "";
    return new StoreError(
      "unavailable",
      `Cannot use the store directory ${this.root}${hint}: ${messageOf(error)}`,
      { cause: error },
    );
  }
}

/** Makes the names in `folder` durable. */
export async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, "r");
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
