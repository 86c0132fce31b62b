import type { WholeTreeTargets } from "../castore/tree-upload.js";
import type { NarRecords } from "../store/nar/records.js";
import type { PathInfoService } from "../store/path-info/service.js";

/** The store behind a binary cache. */
export interface CacheServices extends WholeTreeTargets {
  readonly pathInfos: PathInfoService;
  /** What is known of NARs; without it they are served under their content only. */
  readonly nars?: NarRecords | undefined;
}
