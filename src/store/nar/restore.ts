/**
 * Unpacking a NAR onto the disk.
 *
 * The calls are synchronous: with promises each of the four that a small file takes would cost more than the
 * kernel's part of it.
 */
import {
  closeSync,
  constants,
  fchmodSync,
  fstatSync,
  mkdirSync,
  openSync,
  symlinkSync,
  unlinkSync,
  writeSync,
} from "node:fs";
import { abortable } from "../../base/abortable.js";
import { asBuffer, quoteBytes } from "../../base/bytes.js";
import { entryPath } from "../../base/entry-path.js";
import { errnoOf, messageOf, StoreError } from "../../base/errors.js";
import { removeTree } from "../../base/remove-tree.js";
import { type NarFile, type NarItem, NarReader, type NarReaderOptions } from "./reader.js";

const NEW_FILE = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW;
const OPEN_FOLDER = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_DIRECTORY;
const EXECUTABLE_BITS = 0o111;

export interface NarRestoreOptions extends NarReaderOptions {
  readonly signal?: AbortSignal;
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
  const restore = new Restore(path);
  await using reader = new NarReader(abortable(source, options.signal), options);
  try {
    for (let item = await reader.next(); item !== undefined; item = await reader.next()) {
      if (item.type === "file") await restore.file(item, reader);
      else restore.take(item);
    }
  } catch (error) {
    restore.undo(error);
    throw error;
  } finally {
    restore.close();
  }
}

interface OpenFolder {
  readonly name: Uint8Array;
  readonly descriptor: number;
}

class Restore {
  readonly #root: Buffer;
  /** What is at the root is ours to remove. */
  #made: "nothing" | "a file" | "a folder" = "nothing";
  readonly #folders: OpenFolder[] = [];

  constructor(root: Uint8Array) {
    this.#root = asBuffer(root);
  }

  take(item: Exclude<NarItem, NarFile>): void {
    switch (item.type) {
      case "directory":
        this.#guard(item.name, (location) => {
          mkdirSync(location, 0o777);
          if (this.#folders.length === 0) this.#made = "a folder";
          const descriptor = openSync(location, OPEN_FOLDER);
          this.#folders.push({ name: item.name, descriptor });
        });
        break;
      case "directory-end":
        closeSync((this.#folders.pop() as OpenFolder).descriptor);
        break;
      case "symlink":
        this.#guard(item.name, (location) => {
          symlinkSync(item.target as Buffer, location);
          this.#madeFile();
        });
    }
  }

  async file({ name, executable }: NarFile, reader: NarReader): Promise<void> {
    const descriptor = this.#guard(name, (location) => {
      const opened = openSync(location, NEW_FILE, 0o666);
      this.#madeFile();
      return opened;
    });
    try {
      if (executable) {
        this.#guard(name, () =>
          fchmodSync(descriptor, (fstatSync(descriptor).mode & 0o7777) | EXECUTABLE_BITS),
        );
      }
      for (let piece = await reader.read(); piece !== undefined; piece = await reader.read()) {
        this.#write(name, descriptor, piece);
      }
    } finally {
      // A file system may find out only now that there was no room.
      this.#guard(name, () => closeSync(descriptor));
    }
  }

  /** Lets go of the folders that are open. */
  close(): void {
    for (const { descriptor } of this.#folders.splice(0)) closeSync(descriptor);
  }

  /** Removes what was made, for the reason `failure`. */
  undo(failure: unknown): void {
    this.close();
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
    if (this.#folders.length === 0) this.#made = "a file";
  }

  #write(name: Uint8Array, descriptor: number, piece: Uint8Array): void {
    this.#guard(name, () => {
      for (let written = 0; written < piece.length; ) {
        written += writeSync(descriptor, piece, written, piece.length - written);
      }
    });
  }

  /** Runs `make` with the place of `name` in the innermost open folder, and says what it failed on. */
  #guard<T>(name: Uint8Array, make: (location: Buffer) => T): T {
    const folder = this.#folders.at(-1);
    try {
      return make(folder === undefined ? this.#root : entryPath(folder.descriptor, name));
    } catch (error) {
      throw this.#failure(name, error);
    }
  }

  #failure(name: Uint8Array, error: unknown): StoreError {
    const names = [...this.#folders.slice(1).map((folder) => folder.name), name];
    const below = this.#folders.length === 0 ? [] : names.flatMap((each) => [SLASH, each]);
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
