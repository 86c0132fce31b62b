/**
 * Unpacking a NAR onto the disk.
 */
import { closeSync, mkdirSync, symlinkSync, unlinkSync } from "node:fs";
import { abortable } from "../../base/abortable.js";
import { asBuffer, quoteBytes } from "../../base/bytes.js";
import { entryPath } from "../../base/entry-path.js";
import { messageOf, StoreError } from "../../base/errors.js";
import { removeTree } from "../../base/remove-tree.js";
import type { NarFile, NarItem, NarReaderOptions } from "./grammar.js";
import { NarReader } from "./reader.js";
import { RestoreBatches } from "./restore-batches.js";
import { createFile, makeExecutable, writeFully } from "./restore-files.js";
import { cannotRestore, OpenFolder } from "./restore-folder.js";
import type { RestoreHelper } from "./restore-helper.js";

/** Files up to this size are made many at a time when there is a helper. */
const SMALL_BYTES = 64 * 1024;
/** After so many small files, more are to be expected: enough to be worth the start of a thread. */
const HELP_AFTER = 500;

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

class Restore {
  readonly #root: Buffer;
  readonly #help: (() => RestoreHelper) | undefined;
  /** What is at the root is ours to remove. */
  #made: "nothing" | "a file" | "a folder" = "nothing";
  /** The innermost. */
  #folder: OpenFolder | undefined;
  #batches: RestoreBatches | undefined;
  #smallFiles = 0;

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
          this.#folder = new OpenFolder(item.name, location, this.#folder);
        });
        break;
      case "directory-end": {
        const left = this.#folder as OpenFolder;
        this.#folder = left.parent;
        left.leave();
        break;
      }
      case "symlink":
        this.#guard(item.name, (location) => {
          symlinkSync(item.target as Buffer, location);
          this.#madeFile();
        });
    }
  }

  async file(file: NarFile, reader: NarReader): Promise<void> {
    if (this.#folder !== undefined && file.size <= SMALL_BYTES) {
      if (++this.#smallFiles === HELP_AFTER) this.#batches = this.#makeBatches();
      if (this.#batches !== undefined) {
        await this.#batches.add(this.#folder, file, () => reader.read());
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

  #makeBatches(): RestoreBatches | undefined {
    if (this.#help === undefined) return undefined;
    return new RestoreBatches(this.#help(), (folder, name, error) =>
      this.#failure(folder, name, error),
    );
  }

  /** Waits until all files have been made. */
  async finish(): Promise<void> {
    await this.#batches?.finish();
  }

  /** Lets go of the folders that are open, and of the helper. */
  close(): void {
    this.#batches?.close();
    for (let at = this.#folder; at !== undefined; at = at.parent) at.leave();
  }

  /** Removes what was made, for the reason `failure`. */
  async undo(failure: unknown): Promise<void> {
    // No more files are made then. What that fails on is no news.
    await this.#batches?.settle().catch(() => {});
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

  #failure(folder: OpenFolder | undefined, name: Uint8Array, error: unknown): StoreError {
    return cannotRestore(folder?.pathOf(name, this.#root) ?? this.#root, error);
  }
}
