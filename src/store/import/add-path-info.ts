/**
 * The last step of every import: what was stored gets the name its content gives it.
 */
import { contentAddressedPath } from "../content-address.js";
import type { IngestedTree } from "../nar/ingest.js";
import type { NarRecords } from "../nar/records.js";
import type { PathInfoService } from "../path-info/service.js";
import type { PathInfo } from "../path-info.js";
import type { StorePath } from "../store-path.js";

export interface PathInfoTargets {
  readonly pathInfos: PathInfoService;
  /** Where it is remembered which NAR belongs to which node. */
  readonly nars?: NarRecords | undefined;
}

/** Stores the path info of a tree that is stored itself: `fixed:r:sha256`, called `name`. */
export async function addPathInfo(
  name: string,
  { node, narSha256, narSize }: IngestedTree,
  { pathInfos, nars }: PathInfoTargets,
  references: readonly StorePath[] = [],
): Promise<PathInfo> {
  const ca = { method: "nar", algorithm: "sha256", digest: narSha256 } as const;
  // Started together, they share a commit.
  const [pathInfo] = await Promise.all([
    pathInfos.put({
      storePath: contentAddressedPath(ca, name, references),
      node,
      references,
      narSize,
      narSha256,
      signatures: [],
      ca,
    }),
    nars?.remember(node, { narSha256, narSize }),
  ]);
  return pathInfo;
}
