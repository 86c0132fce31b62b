/**
 * Directories in this process's memory: for tests and throw-away stores.
 */
import type { B3Digest } from "../digest.js";
import type { Directory } from "../directory.js";
import { CheckedPutter } from "./checked-putter.js";
import { walkClosure } from "./closure-walk.js";
import type { DirectoryPutter, DirectoryService } from "./service.js";

export class MemoryDirectoryService implements DirectoryService {
  readonly #directories = new Map<string, Directory>();

  async get(digest: B3Digest): Promise<Directory | undefined> {
    return this.#directories.get(digest.hex);
  }

  async put(directory: Directory): Promise<B3Digest> {
    this.#directories.set(directory.digest.hex, directory);
    return directory.digest;
  }

  getRecursive(digest: B3Digest): AsyncIterable<Directory> {
    return walkClosure(digest, (each) => this.get(each));
  }

  startPut(): DirectoryPutter {
    return new CheckedPutter((directory) => this.put(directory));
  }
}
