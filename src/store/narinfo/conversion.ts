/**
 * Between narinfos and path infos: one knows where the NAR is, the other what is in it.
 */
import type { Node } from "../../castore/node.js";
import { type PathInfo, validatePathInfo } from "../path-info.js";
import { isKeyName } from "../signature/key-name.js";
import { NAME_LENGTH_MAX, type StorePath } from "../store-path.js";
import { DERIVATION_SUFFIX, type Narinfo } from "./narinfo.js";

/** Where a NAR is found, and how it is sent. */
export type NarFile = Pick<Narinfo, "url" | "compression" | "fileHash" | "fileSize">;

/**
 * What `narinfo` says about `node`, which its NAR became. References are a set to Nix: sorted here, each
 * once, so that two caches say the same of one store path. That the NAR has this hash is not checked.
 *
 * @throws {StoreError} `invalid-argument` when it breaks a rule of path infos.
 */
export function pathInfoFromNarinfo(narinfo: Narinfo, node: Node): PathInfo {
  const { storePath, narSize, narSha256, references, signatures, deriver, ca } = narinfo;
  const pathInfo: PathInfo = {
    storePath,
    node,
    references: sortedOnce(references),
    narSize,
    narSha256,
    signatures,
    ...(deriver && { deriver }),
    ...(ca && { ca }),
  };
  validatePathInfo(pathInfo);
  return pathInfo;
}

/**
 * The narinfo of a path whose NAR is at `file`. Signatures by names that no key can have are left out: on a
 * line of text they might say something else. So is a deriver whose name has no room for `.drv`.
 */
export function narinfoFromPathInfo(pathInfo: PathInfo, file: NarFile): Narinfo {
  const { storePath, narSize, narSha256, references, deriver, ca } = pathInfo;
  const signatures = pathInfo.signatures.filter(({ name }) => isKeyName(name));
  return {
    storePath,
    ...file,
    narSha256,
    narSize,
    references,
    ...(deriver && isDeriver(deriver) && { deriver }),
    signatures,
    ...(ca && { ca }),
  };
}

function isDeriver({ name }: StorePath): boolean {
  return name.length + DERIVATION_SUFFIX.length <= NAME_LENGTH_MAX;
}

function sortedOnce(references: readonly StorePath[]): StorePath[] {
  const byName = new Map(references.map((reference) => [reference.basename, reference]));
  return [...byName.keys()].sort().map((name) => byName.get(name) as StorePath);
}
