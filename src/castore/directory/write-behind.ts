/**
 * Storing directories without waiting for the disk.
 */
import type { WriteBehind } from "../../base/write-behind.js";
import type { CallOptions } from "../blob/service.js";
import type { B3Digest } from "../digest.js";
import type { Directory } from "../directory.js";
import { CheckedPutter } from "./checked-putter.js";
import { walkClosure } from "./closure-walk.js";
import type { DirectoryPutter, DirectoryService } from "./service.js";

/** What a directory takes in memory beside its bytes. */
const OVERHEAD_BYTES = 512;

/**
 * A directory is stored when it is in memory; it reaches `inner` soon after, and is read from memory until
 * then. Not durable when `put` resolves: for what can be fetched again, such as near's side of a mount.
 * When `inner` does not take a directory, it is as if it had never been stored.
 */
export class WriteBehindDirectoryService implements DirectoryService {
  readonly #inner: DirectoryService;
  readonly #behind: WriteBehind<Directory>;

  constructor(inner: DirectoryService, behind: WriteBehind<Directory>) {
    this.#inner = inner;
    this.#behind = behind;
  }

  async get(digest: B3Digest, options?: CallOptions): Promise<Directory | undefined> {
    return this.#behind.get(digest.hex) ?? (await this.#inner.get(digest, options));
  }

  async put(directory: Directory): Promise<B3Digest> {
    const { digest, bytes } = directory;
    await this.#behind.add(digest.hex, directory, OVERHEAD_BYTES + bytes.length, () =>
      this.#inner.put(directory),
    );
    return digest;
  }

  getRecursive(digest: B3Digest, options?: CallOptions): AsyncIterable<Directory> {
    return walkClosure(digest, (each) => this.get(each, options));
  }

  startPut(): DirectoryPutter {
    return new CheckedPutter((directory) => this.put(directory));
  }
}
