/**
 * Unpacking a NAR onto the disk.
 */
import { closeSync, constants, mkdirSync, openSync, symlinkSync, unlinkSync } from "node:fs";
import { abortable } from "../../base/abortable.js";
import { asBuffer, quoteBytes } from "../../base/bytes.js";
import { entryPath } from "../../base/entry-path.js";
import { errnoOf, messageOf, StoreError } from "../../base/errors.js";
import { removeTree } from "../../base/remove-tree.js";
import type { NarFile, NarItem, NarReaderOptions } from "./grammar.js";
import { NarReader } from "./reader.js";
import {
  createFile,
  FileFailure,
  makeExecutable,
  makeFiles,
  type NewFile,
  writeFully,
} from "./restore-files.js";
import { BATCH_BYTES, type RestoreHelper } from "./restore-helper.js";

const OPEN_FOLDER = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_DIRECTORY;
/** Files up to this size are made many at a time when there is a helper. */
const SMALL_BYTES = 64 * 1024;
/** After so many small files, more are to be expected: enough to be worth the start of a thread. */
const HELP_AFTER = 500;
/** How many files are given to the helper at once; the folders of all stay open. */
const BATCH_FILES = 128;

export interface NarRestoreOptions extends NarReaderOptions {
  readonly signal?: AbortSignal;
  /** Starts a thread that helps, once there are many small files. */
  readonly help?: () => RestoreHelper;
}

/**
 * Restores the NAR that `source` gives at `path`, which must not exist; its folder must. Everything is made
 * new, relative to the open folder it goes into, and no symlink is followed. Files are 0666 and folders 0777
 * less the umask; executable files are executable by everybody; times are those of now: all as
 * `nix-store --restore` does it. When it fails, nothing is left at `path`. It is done with a piece of the source
 * when it asks for the next but one, where pieces but the last have some kilobytes.
 *
 * @throws {StoreError} `invalid-argument` for a malformed NAR or when `path` exists, else naming what could
 *   not be written and why; `aborted` when the signal fires; and whatever the source throws.
 */
export async function restoreNar(
  source: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
  path: Uint8Array,
  options: NarRestoreOptions = {},
): Promise<void> {
  const restore = new Restore(path, options.help);
  await using reader = new NarReader(abortable(source, options.signal), options);
  try {
    for (let item = await reader.next(); item !== undefined; item = await reader.next()) {
      if (item.type === "file") await restore.file(item, reader);
      else restore.take(item);
    }
    await restore.finish();
  } catch (error) {
    await restore.undo(error);
    throw error;
  } finally {
    restore.close();
  }
}

interface OpenFolder {
  readonly name: Uint8Array;
  readonly descriptor: number;
  /** What it lies in; `undefined` for the root. */
  readonly parent: OpenFolder | undefined;
  /** How many of its files are in batches: until there are none it stays open. */
  waitingFiles: number;
  isLeft: boolean;
}

/** Small files that are made together. Their contents are in the piece of memory of the same number. */
interface Batch {
  readonly memory: 0 | 1;
  readonly files: NewFile[];
  /** Where each goes. */
  readonly folders: OpenFolder[];
  usedBytes: number;
}

const newBatch = (memory: 0 | 1): Batch => ({ memory, files: [], folders: [], usedBytes: 0 });

class Restore {
  readonly #root: Buffer;
  readonly #help: (() => RestoreHelper) | undefined;
  /** What is at the root is ours to remove. */
  #made: "nothing" | "a file" | "a folder" = "nothing";
  /** The innermost. */
  #folder: OpenFolder | undefined;
  #helper: RestoreHelper | undefined;
  #smallFiles = 0;
  #gathered = newBatch(0);
  /** What the helper has been given. */
  #given = newBatch(1);

  constructor(root: Uint8Array, help: (() => RestoreHelper) | undefined) {
    this.#root = asBuffer(root);
    this.#help = help;
  }

  take(item: Exclude<NarItem, NarFile>): void {
    switch (item.type) {
      case "directory":
        this.#guard(item.name, (location) => {
          mkdirSync(location, 0o777);
          if (this.#folder === undefined) this.#made = "a folder";
          const descriptor = openSync(location, OPEN_FOLDER);
          const parent = this.#folder;
          this.#folder = { name: item.name, descriptor, parent, waitingFiles: 0, isLeft: false };
        });
        break;
      case "directory-end":
        this.#leave(this.#folder as OpenFolder);
        break;
      case "symlink":
        this.#guard(item.name, (location) => {
          symlinkSync(item.target as Buffer, location);
          this.#madeFile();
        });
    }
  }

  async file(file: NarFile, reader: NarReader): Promise<void> {
    if (this.#folder !== undefined && file.size <= SMALL_BYTES) {
      if (++this.#smallFiles === HELP_AFTER) this.#helper = this.#help?.();
      if (this.#helper !== undefined) {
        await this.#gather(file, this.#folder, reader, this.#helper);
        return;
      }
    }
    const { name, executable } = file;
    const descriptor = this.#guard(name, (location) => {
      const opened = createFile(location);
      this.#madeFile();
      return opened;
    });
    try {
      if (executable) this.#guard(name, () => makeExecutable(descriptor));
      for (let piece = await reader.read(); piece !== undefined; piece = await reader.read()) {
        const bytes = piece;
        this.#guard(name, () => writeFully(descriptor, bytes));
      }
    } finally {
      // A file system may find out only now that there was no room.
      this.#guard(name, () => closeSync(descriptor));
    }
  }

  /** Waits until all files have been made. */
  async finish(): Promise<void> {
    this.#makeGathered();
    await this.#settle();
  }

  /** Lets go of the folders that are open, and of the helper. */
  close(): void {
    for (const batch of [this.#gathered, this.#given]) this.#release(batch);
    for (let at = this.#folder; at !== undefined; at = at.parent) closeSync(at.descriptor);
    this.#helper?.end();
  }

  /** Removes what was made, for the reason `failure`. */
  async undo(failure: unknown): Promise<void> {
    // It makes no more files then. What it fails on is no news.
    await this.#settle().catch(() => {});
    try {
      if (this.#made === "a file") unlinkSync(this.#root);
      if (this.#made === "a folder") removeTree(this.#root);
    } catch (error) {
      throw new StoreError(
        "unavailable",
        `${messageOf(failure)}; what was restored at ${quoteBytes(this.#root)} could not be removed: ` +
          messageOf(error),
        { cause: failure },
      );
    }
  }

  /** Takes a small file into a batch. Full ones are the helper's, or, while it is busy, made here. */
  async #gather(
    { name, executable, size }: NarFile,
    folder: OpenFolder,
    reader: NarReader,
    helper: RestoreHelper,
  ): Promise<void> {
    const { files, usedBytes } = this.#gathered;
    if (files.length === BATCH_FILES || usedBytes + size > BATCH_BYTES) this.#passOn(helper);
    const batch = this.#gathered;
    for (let piece = await reader.read(); piece !== undefined; piece = await reader.read()) {
      helper.contents[batch.memory].set(piece, batch.usedBytes);
      batch.usedBytes += piece.length;
    }
    batch.files.push({ folder: folder.descriptor, name, executable, size });
    batch.folders.push(folder);
    folder.waitingFiles++;
  }

  #passOn(helper: RestoreHelper): void {
    if (!this.#attribute(this.#given, () => helper.isIdle)) {
      this.#makeGathered();
      return;
    }
    this.#release(this.#given);
    [this.#given, this.#gathered] = [this.#gathered, this.#given];
    helper.give(this.#given.files, this.#given.memory);
  }

  #makeGathered(): void {
    const batch = this.#gathered;
    const contents = this.#helper?.contents[batch.memory];
    if (contents !== undefined) this.#attribute(batch, () => makeFiles(batch.files, contents));
    this.#release(batch);
  }

  async #settle(): Promise<void> {
    try {
      await this.#helper?.settle();
    } catch (error) {
      throw this.#failureIn(this.#given, error);
    }
  }

  /** What is in `batch` is there, or not wanted any more. */
  #release(batch: Batch): void {
    for (const folder of batch.folders.splice(0)) {
      folder.waitingFiles--;
      if (folder.isLeft) this.#closeUnused(folder);
    }
    batch.files.length = 0;
    batch.usedBytes = 0;
  }

  #leave(folder: OpenFolder): void {
    this.#folder = folder.parent;
    folder.isLeft = true;
    this.#closeUnused(folder);
  }

  #closeUnused(folder: OpenFolder): void {
    if (folder.waitingFiles === 0) closeSync(folder.descriptor);
  }

  #madeFile(): void {
    if (this.#folder === undefined) this.#made = "a file";
  }

  /** Runs `make` with the place of `name` in the innermost open folder, and says what it failed on. */
  #guard<T>(name: Uint8Array, make: (location: Buffer) => T): T {
    const folder = this.#folder;
    try {
      return make(folder === undefined ? this.#root : entryPath(folder.descriptor, name));
    } catch (error) {
      throw this.#failure(folder, name, error);
    }
  }

  /** Runs `make`, and says which file of `batch` it failed on. */
  #attribute<T>(batch: Batch, make: () => T): T {
    try {
      return make();
    } catch (error) {
      throw this.#failureIn(batch, error);
    }
  }

  #failureIn({ files, folders }: Batch, error: unknown): unknown {
    if (!(error instanceof FileFailure)) return error;
    const { name } = files[error.index] as NewFile;
    return this.#failure(folders[error.index], name, error.cause);
  }

  #failure(folder: OpenFolder | undefined, name: Uint8Array, error: unknown): StoreError {
    const below: Uint8Array[] = [];
    for (let at = folder, last = name; at !== undefined; last = at.name, at = at.parent) {
      below.unshift(SLASH, last);
    }
    const what = `Cannot restore ${quoteBytes(Buffer.concat([this.#root, ...below]))}`;
    switch (errnoOf(error)) {
      case "EEXIST":
        return new StoreError("invalid-argument", `${what}: it exists already`, { cause: error });
      case "ENOENT":
        return new StoreError("not-found", `${what}: the folder it goes into does not exist`, {
          cause: error,
        });
      case "EACCES":
      case "EPERM":
        return new StoreError("permission-denied", `${what}: permission denied`, { cause: error });
      default:
        return new StoreError("unavailable", `${what}: ${messageOf(error)}`, { cause: error });
    }
  }
}

const SLASH = Buffer.from("/");
