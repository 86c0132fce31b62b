import type { BlobService } from "../castore/blob/service.js";
import type { DirectoryService } from "../castore/directory/service.js";
import type { NarRecords } from "../store/nar/records.js";
import type { PathInfoService } from "../store/path-info/service.js";

/** The store behind a binary cache. */
export interface CacheServices {
  readonly blobs: BlobService;
  readonly directories: DirectoryService;
  readonly pathInfos: PathInfoService;
  /** What is known of NARs; without it they are served under their content only. */
  readonly nars?: NarRecords | undefined;
}
