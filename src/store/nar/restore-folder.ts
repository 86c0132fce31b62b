import { closeSync, constants, openSync } from "node:fs";
import { quoteBytes } from "../../base/bytes.js";
import { errnoOf, messageOf, StoreError } from "../../base/errors.js";

const OPEN_FOLDER = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_DIRECTORY;
const SLASH = Buffer.from("/");

/** A folder that a restore has made. It is open, so that what goes into it goes nowhere else. */
export class OpenFolder {
  readonly descriptor: number;
  /** What it lies in; `undefined` for the root. */
  readonly parent: OpenFolder | undefined;
  readonly #name: Uint8Array;
  #waitingFiles = 0;
  #isLeft = false;

  /** Opens the folder `name` of `parent`, which is at `location`. */
  constructor(name: Uint8Array, location: Buffer, parent: OpenFolder | undefined) {
    this.descriptor = openSync(location, OPEN_FOLDER);
    this.parent = parent;
    this.#name = name;
  }

  /** Keeps it open for a file that is made later, until as many calls of {@link letGo}. */
  hold(): void {
    this.#waitingFiles++;
  }

  letGo(): void {
    this.#waitingFiles--;
    this.#closeUnused();
  }

  /** Nothing more is made in it but what holds it. */
  leave(): void {
    this.#isLeft = true;
    this.#closeUnused();
  }

  #closeUnused(): void {
    if (this.#isLeft && this.#waitingFiles === 0) closeSync(this.descriptor);
  }

  /** The path of `name` in here, where the root of the restore is at `root`. */
  pathOf(name: Uint8Array, root: Uint8Array): Buffer {
    if (this.parent === undefined) return Buffer.concat([root, SLASH, name]);
    return Buffer.concat([this.parent.pathOf(this.#name, root), SLASH, name]);
  }
}

/** Says that `path` could not be restored because of `error`, what a call into the kernel has thrown. */
export function cannotRestore(path: Uint8Array, error: unknown): StoreError {
  const what = `Cannot restore ${quoteBytes(path)}`;
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
