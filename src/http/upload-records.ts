/**
 * What is remembered of uploads besides path infos and content.
 */
import type { B3Digest } from "../castore/digest.js";

/** A NAR as it came: in a file, perhaps compressed. */
export interface NarFileRecord {
  /** 32 bytes: the SHA-256 of the NAR itself. */
  readonly narSha256: Uint8Array;
  /** As it is named in narinfos. */
  readonly compression: string;
}

/** A file that is kept as it came: a log, a realisation, debug information. */
export interface CacheFileRecord {
  /** Of the blob with its content. */
  readonly digest: B3Digest;
  /** Length in bytes. */
  readonly size: bigint;
}

/** All puts are durable when they resolve. */
export interface UploadRecords {
  /** @throws {StoreError} `corrupt` when the stored bytes are no record. */
  narFile(fileSha256: Uint8Array): Promise<NarFileRecord | undefined>;

  putNarFile(fileSha256: Uint8Array, record: NarFileRecord): Promise<void>;

  /**
   * @param name where it is in the cache, such as `log/<name>.drv`.
   * @throws {StoreError} `corrupt` when the stored bytes are no record.
   */
  cacheFile(name: string): Promise<CacheFileRecord | undefined>;

  /** Takes the place of what was there. */
  putCacheFile(name: string, record: CacheFileRecord): Promise<void>;
}
