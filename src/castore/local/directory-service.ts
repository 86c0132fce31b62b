/**
 * Directories of the local store: canonical bytes by digest, in the index.
 */
import { messageOf, StoreError } from "../../base/errors.js";
import type { B3Digest } from "../digest.js";
import { CheckedPutter } from "../directory/checked-putter.js";
import { walkClosure } from "../directory/closure-walk.js";
import type { DirectoryPutter, DirectoryService } from "../directory/service.js";
import type { Directory } from "../directory.js";
import { decodeDirectory } from "../directory-codec.js";
import type { Table } from "./index-database.js";
import type { Index } from "./staged-index.js";

export class LocalDirectoryService implements DirectoryService {
  readonly #index: Index;
  readonly #table: Table;

  constructor(index: Index) {
    this.#index = index;
    this.#table = index.table("directories");
  }

  async get(digest: B3Digest): Promise<Directory | undefined> {
    this.#index.refresh();
    return readDirectory(this.#table, digest);
  }

  async put(directory: Directory): Promise<B3Digest> {
    const { digest, bytes } = directory;
    this.#index.refresh();
    if (!this.#table.holds(digest.bytes, bytes)) {
      await this.#index.commit(() => this.#table.put(digest.bytes, bytes), bytes.length);
    }
    return digest;
  }

  getRecursive(digest: B3Digest): AsyncIterable<Directory> {
    return walkClosure(digest, (each) => this.get(each));
  }

  startPut(): DirectoryPutter {
    return new CheckedPutter((directory) => this.put(directory));
  }
}

/**
 * Reads and checks one directory of the table.
 *
 * @throws {StoreError} `corrupt` when the bytes do not have the digest or are no directory.
 */
export function readDirectory(table: Table, digest: B3Digest): Directory | undefined {
  const bytes = table.get(digest.bytes);
  if (bytes === undefined) return undefined;
  if (!digest.isOf(bytes)) {
    throw new StoreError(
      "corrupt",
      `Directory ${digest} is damaged: its content does not match its digest`,
    );
  }
  try {
    return decodeDirectory(bytes);
  } catch (error) {
    throw new StoreError("corrupt", `Directory ${digest} is damaged: ${messageOf(error)}`, {
      cause: error,
    });
  }
}
