/**
 * The rules for uploading a closure of directories, whichever backend takes it.
 */
import { quoteBytes } from "../../base/bytes.js";
import { StoreError } from "../../base/errors.js";
import type { B3Digest } from "../digest.js";
import type { Directory } from "../directory.js";

/** Sees the directories of one upload, children before parents, and refuses what breaks the rules. */
export class ClosureCheck {
  /** Everything seen, by digest. Keeps the two sizes a parent may state, not the directory. */
  readonly #seen = new Map<string, { readonly size: bigint; readonly count: bigint }>();
  /** Seen, but not below anything seen since. */
  readonly #roots = new Map<string, B3Digest>();
  #last: B3Digest | undefined;

  /**
   * Takes the next directory.
   *
   * @returns false when it was seen before in this upload.
   * @throws {StoreError} `invalid-argument`, naming the entry whose child is missing or of another size.
   */
  add(directory: Directory): boolean {
    for (let index = 0; index < directory.count; index++) {
      if (directory.type(index) === "directory") this.#checkChild(directory, index);
    }
    this.#last = directory.digest;
    const key = directory.digest.hex;
    if (this.#seen.has(key)) return false;
    this.#seen.set(key, { size: directory.size, count: BigInt(directory.count) });
    this.#roots.set(key, directory.digest);
    return true;
  }

  /**
   * Ends the upload.
   *
   * @returns the digest of the root, the last directory added.
   * @throws {StoreError} `invalid-argument` when there is none, or when others do not hang below it.
   */
  finish(): B3Digest {
    if (this.#last === undefined) {
      throw new StoreError(
        "invalid-argument",
        "Cannot store an empty upload: no directory was sent",
      );
    }
    this.#roots.delete(this.#last.hex);
    const [stray] = this.#roots.values();
    if (stray !== undefined) {
      throw new StoreError(
        "invalid-argument",
        `Directory ${stray} does not hang below the root ${this.#last} of its upload`,
      );
    }
    return this.#last;
  }

  #checkChild(directory: Directory, index: number): void {
    const child = directory.node(index);
    if (child.type !== "directory") return;
    const known = this.#seen.get(child.digest.hex);
    if (known === undefined) {
      throw invalid(directory, index, `refers to ${child.digest}, which was not sent before it`);
    }
    if (child.size !== known.size && child.size !== known.size + known.count) {
      const states = `states size ${child.size}, but ${child.digest} has size ${known.size}`;
      throw invalid(directory, index, states);
    }
    this.#roots.delete(child.digest.hex);
  }
}

function invalid(directory: Directory, index: number, why: string): StoreError {
  const entry = `Directory ${directory.digest}: entry ${quoteBytes(directory.name(index))}`;
  return new StoreError("invalid-argument", `${entry} ${why}`);
}
