import { mkdir, rename } from "node:fs/promises";
import type { B3Digest } from "../digest.js";
import { FolderSync } from "./folder-sync.js";
import type { StoreLayout } from "./layout.js";
import { SpareMemory } from "./spare-memory.js";

/** Blobs up to this size are gathered in memory, where there is room for so many, and then written beside the next. */
export const GATHERED_BYTES_MAX = 512 * 1024;
export const GATHERED_MAX = 16;

/** The files of blobs in one store, for all in this process who write some. */
export class BlobFiles {
  readonly memory = new SpareMemory(GATHERED_BYTES_MAX, GATHERED_MAX);
  readonly #layout: StoreLayout;
  readonly #folders = new FolderSync();
  /** Folders that are on disk for certain: one that is there may have been made a moment ago. */
  readonly #durable = new Set<string>();

  constructor(layout: StoreLayout) {
    this.#layout = layout;
  }

  /** Makes a synced upload file that of the blob. When it resolves, its name is on disk. */
  async adopt(digest: B3Digest, uploadPath: string): Promise<void> {
    const folder = this.#layout.blobFolder(digest);
    const isNew = (await mkdir(folder, { recursive: true })) !== undefined;
    if (isNew || !this.#durable.has(folder)) {
      await this.#folders.sync(this.#layout.blobs);
      this.#durable.add(folder);
    }
    await rename(uploadPath, this.#layout.blobFile(digest));
    await this.#folders.sync(folder);
  }
}
