/**
 * The embedded store: one folder, no server. Any number of processes may use it at the same time.
 */
import { resolve } from "node:path";
import { StoreError } from "../../base/errors.js";
import type { StagedTree } from "../tree-upload.js";
import { LocalBlobService } from "./blob-service.js";
import { LocalDirectoryService } from "./directory-service.js";
import { IndexDatabase } from "./index-database.js";
import { StoreLayout } from "./layout.js";
import { type CommittingIndex, StagedIndex } from "./staged-index.js";
import { sweepUploads } from "./upload-file.js";

/** What is put into `index` comes after all of the tree, in the same transaction as the last of it. */
export interface StagedLocalTree extends StagedTree {
  readonly index: CommittingIndex;
}

export class LocalStore implements AsyncDisposable {
  readonly layout: StoreLayout;
  /** Other services keep tables of their own in it. */
  readonly index: IndexDatabase;
  readonly blobs: LocalBlobService;
  readonly directories: LocalDirectoryService;

  private constructor(layout: StoreLayout, index: IndexDatabase) {
    this.layout = layout;
    this.index = index;
    this.blobs = new LocalBlobService(layout, index);
    this.directories = new LocalDirectoryService(index);
  }

  /**
   * Opens the store in `folder`, making it when it is not there.
   *
   * @throws {StoreError} as `StoreLayout.prepare` and `IndexDatabase.open`.
   */
  static async open(folder: string): Promise<LocalStore> {
    const layout = new StoreLayout(resolve(folder));
    await layout.prepare();
    return await LocalStore.#openPrepared(layout);
  }

  /**
   * Opens the store in `folder` for a command that would find nothing in a new one.
   *
   * @throws {StoreError} `not-found` when there is no store, else as {@link open}.
   */
  static async openExisting(folder: string): Promise<LocalStore> {
    const layout = new StoreLayout(resolve(folder));
    if (await layout.exists()) return await LocalStore.#openPrepared(layout);
    throw new StoreError("not-found", `There is no store at ${layout.root}`);
  }

  static async #openPrepared(layout: StoreLayout): Promise<LocalStore> {
    const index = IndexDatabase.open(layout.index);
    await sweepUploads(layout.tmp, Date.now());
    return new LocalStore(layout, index);
  }

  /** A way into the store for one tree, with a few large commits instead of many. */
  stageTree(): StagedLocalTree {
    const index = new StagedIndex(this.index);
    return {
      blobs: this.blobs.through(index),
      directories: new LocalDirectoryService(index),
      settle: () => index.settle(),
      index: index.closing,
    };
  }

  /** Writes what is waiting to be written. All that a process which is about to end has to do. */
  flush(): void {
    this.index.flush();
  }

  /**
   * Writes what is waiting to be written and lets go of the files.
   *
   * Not while another process may be opening the store: LMDB destroys the locks in shared memory when the last
   * process closes it, without looking whether one is just arriving. That one then fails to open it.
   */
  async close(): Promise<void> {
    await this.index.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }
}
