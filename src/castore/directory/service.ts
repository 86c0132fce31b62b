/**
 * Directories, found by the BLAKE3 digest of their canonical encoding.
 */
import type { CallOptions } from "../blob/service.js";
import type { B3Digest } from "../digest.js";
import type { Directory } from "../directory.js";

export interface DirectoryService {
  /**
   * One directory, `undefined` when this service lacks it. It decodes, is valid, and has that digest.
   *
   * @throws {StoreError} `corrupt` when the stored bytes are not the directory they should be.
   */
  get(digest: B3Digest, options?: CallOptions): Promise<Directory | undefined>;

  /** Stores one directory, whether or not its children are here. Durable when it resolves. */
  put(directory: Directory, options?: CallOptions): Promise<B3Digest>;

  /**
   * The closure of `digest`: the root first, every directory once, after at least one of its parents.
   * Nothing at all when the root is absent.
   *
   * @throws {StoreError} `dangling-reference` when a directory below the root is missing.
   */
  getRecursive(digest: B3Digest, options?: CallOptions): AsyncIterable<Directory>;

  /** Starts the upload of one closure, children before parents. */
  startPut(options?: CallOptions): DirectoryPutter;
}

/**
 * Uploads one closure. Nothing of it is promised to be visible before `close()` resolves. Dispose it when done: that
 * abandons an upload that was not closed.
 */
export interface DirectoryPutter extends AsyncDisposable {
  /**
   * Adds the next directory. Every directory it refers to must have been added before, and its stated
   * size must be that directory's. Giving one twice is fine.
   *
   * @throws {StoreError} `invalid-argument`, naming the entry at fault. The upload is then over.
   */
  put(directory: Directory): Promise<void>;

  /**
   * Ends the upload: the last directory added is the root, and all others must hang below it. Durable
   * when it resolves to the root's digest. A second call gives the same answer.
   *
   * @throws {StoreError} `invalid-argument` when nothing was added, or something hangs in the air.
   */
  close(): Promise<B3Digest>;
}
