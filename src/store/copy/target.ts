/**
 * Where store paths are copied to: a store, or a binary cache.
 */
import type { RenderServices } from "../nar/render.js";
import type { PathInfo } from "../path-info.js";

/** What it took: less than the path holds where the target had some of it. */
export interface Moved {
  /** Bytes of contents, or of a compressed NAR. */
  readonly bytes: number;
  /** How many blobs were written, where they are what moves. */
  readonly blobs?: number;
}

export interface AddOptions {
  readonly signal: AbortSignal;
  /** Told how many more bytes of the path are where they should be, moved or not. */
  readonly onBytes: (count: number) => void;
  /** Resolves when all the path refers to is in the target: it becomes visible after that. */
  readonly referencesDone: Promise<unknown>;
}

export interface CopyTarget {
  /** Whether the path is there, with all of its content. */
  has(pathInfo: PathInfo): Promise<boolean>;

  /**
   * Stores a path whose content `source` has, what is missing of it, and then its path info; durable when it
   * resolves. When it fails there is no path info, and what was moved is not moved again the next time.
   *
   * @throws {StoreError} `corrupt` when the content is not what the path info says, `dangling-reference` when
   *   the source lacks some of it.
   */
  add(pathInfo: PathInfo, source: RenderServices, options: AddOptions): Promise<Moved>;
}
