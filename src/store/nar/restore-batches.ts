import { FileFailure, makeFiles, type NewFile } from "./restore-files.js";
import type { OpenFolder } from "./restore-folder.js";
import { BATCH_BYTES, type RestoreHelper } from "./restore-helper.js";

/** How many files are given to the helper at once; the folders of all stay open. */
const BATCH_FILES = 128;

/** Small files that are made together. Their contents are in the piece of memory of the same number. */
interface Batch {
  readonly memory: 0 | 1;
  readonly files: NewFile[];
  /** Where each goes. */
  readonly folders: OpenFolder[];
  usedBytes: number;
}

const newBatch = (memory: 0 | 1): Batch => ({ memory, files: [], folders: [], usedBytes: 0 });

/** Says that a file of this name in this folder could not be made, and why. */
export type Blame = (folder: OpenFolder, name: Uint8Array, error: unknown) => unknown;

/**
 * The small files of a restore, made many at a time by two threads: full batches are the helper's, or, while that is
 * busy, made here. Whatever it throws, `blame` has made of it.
 */
export class RestoreBatches {
  readonly #helper: RestoreHelper;
  readonly #blame: Blame;
  #gathered = newBatch(0);
  /** What the helper has been given. */
  #given = newBatch(1);

  constructor(helper: RestoreHelper, blame: Blame) {
    this.#helper = helper;
    this.#blame = blame;
  }

  /** Takes a file of `folder`, of {@link BATCH_BYTES} at most, whose content `read` gives piece by piece. */
  async add(
    folder: OpenFolder,
    { name, executable, size }: Omit<NewFile, "folder">,
    read: () => Promise<Uint8Array | undefined>,
  ): Promise<void> {
    const { files, usedBytes } = this.#gathered;
    if (files.length === BATCH_FILES || usedBytes + size > BATCH_BYTES) this.#passOn();
    const batch = this.#gathered;
    for (let piece = await read(); piece !== undefined; piece = await read()) {
      this.#helper.contents[batch.memory].set(piece, batch.usedBytes);
      batch.usedBytes += piece.length;
    }
    batch.files.push({ folder: folder.descriptor, name, executable, size });
    batch.folders.push(folder);
    folder.hold();
  }

  /** Waits until all files have been made. */
  async finish(): Promise<void> {
    this.#makeGathered();
    await this.settle();
  }

  /** Waits until the helper has made what it was given. */
  async settle(): Promise<void> {
    try {
      await this.#helper.settle();
    } catch (error) {
      throw this.#failure(this.#given, error);
    }
  }

  /** Lets go of the helper, which is not busy, and of the folders of files that are not wanted any more. */
  close(): void {
    this.#release(this.#gathered);
    this.#release(this.#given);
    this.#helper.end();
  }

  #passOn(): void {
    if (!this.#attribute(this.#given, () => this.#helper.isIdle)) {
      this.#makeGathered();
      return;
    }
    this.#release(this.#given);
    [this.#given, this.#gathered] = [this.#gathered, this.#given];
    this.#helper.give(this.#given.files, this.#given.memory);
  }

  #makeGathered(): void {
    const batch = this.#gathered;
    this.#attribute(batch, () => makeFiles(batch.files, this.#helper.contents[batch.memory]));
    this.#release(batch);
  }

  /** What is in `batch` is there, or not wanted any more. */
  #release(batch: Batch): void {
    for (const folder of batch.folders.splice(0)) folder.letGo();
    batch.files.length = 0;
    batch.usedBytes = 0;
  }

  /** Runs `make`, and says which file of `batch` it failed on. */
  #attribute<T>(batch: Batch, make: () => T): T {
    try {
      return make();
    } catch (error) {
      throw this.#failure(batch, error);
    }
  }

  #failure({ files, folders }: Batch, error: unknown): unknown {
    if (!(error instanceof FileFailure)) return error;
    const { index, cause } = error;
    return this.#blame(folders[index] as OpenFolder, (files[index] as NewFile).name, cause);
  }
}
