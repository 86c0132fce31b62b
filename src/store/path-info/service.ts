/**
 * Path infos, found by the hash part of their store path.
 */
import type { CallOptions } from "../../castore/blob/service.js";
import type { PathInfo } from "../path-info.js";

export interface PutOptions extends CallOptions {
  /** Takes the place of a stored one that it contradicts, signatures and all. A remote server decides itself. */
  readonly overwrite?: boolean;
}

export interface PathInfoService {
  /**
   * The path info of the store path with this hash (20 bytes), `undefined` when this service lacks it.
   *
   * @throws {StoreError} `invalid-argument` when `hash` has another length, `corrupt` when the stored
   *   bytes are not a path info.
   */
  get(hash: Uint8Array, options?: CallOptions): Promise<PathInfo | undefined>;

  /**
   * Stores a path info, durable when it resolves to what is now stored. That may have more signatures:
   * those of earlier puts are kept, see `mergePathInfos`. Whether the content is here is not checked.
   *
   * @throws {StoreError} `invalid-argument` when it breaks a rule or, without `overwrite`, contradicts what
   *   is stored; nothing has changed then.
   */
  put(pathInfo: PathInfo, options?: PutOptions): Promise<PathInfo>;

  /**
   * Every path info, in no particular order. One that is put meanwhile may be missing.
   *
   * @throws {StoreError} `unsupported` when this service cannot tell what it has.
   */
  list(options?: CallOptions): AsyncIterable<PathInfo>;
}
