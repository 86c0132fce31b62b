/**
 * Path infos as `nix path-info` prints them.
 */
import { toBase64 } from "../base/bytes.js";
import { closureOf } from "../store/closure.js";
import { formatContentAddress } from "../store/content-address.js";
import type { PathInfoService } from "../store/path-info/service.js";
import type { PathInfo } from "../store/path-info.js";
import { formatSignature } from "../store/signature/signature-text.js";

export interface PathInfoJson {
  readonly path: string;
  /** SRI form: `sha256-<base64>`. */
  readonly narHash: string;
  readonly narSize: bigint;
  readonly references: readonly string[];
  readonly deriver?: string;
  readonly ca?: string;
  readonly signatures?: readonly string[];
  readonly closureSize?: bigint;
}

export function pathInfoJson(pathInfo: PathInfo, closureSize?: bigint): PathInfoJson {
  const { deriver, ca, signatures } = pathInfo;
  return {
    path: pathInfo.storePath.toString(),
    narHash: `sha256-${toBase64(pathInfo.narSha256)}`,
    narSize: pathInfo.narSize,
    references: pathInfo.references.map(String),
    ...(deriver === undefined ? {} : { deriver: `${deriver}.drv` }),
    ...(ca === undefined ? {} : { ca: formatContentAddress(ca) }),
    ...(signatures.length === 0 ? {} : { signatures: signatures.map(formatSignature) }),
    ...(closureSize === undefined ? {} : { closureSize }),
  };
}

/**
 * The NAR sizes of a path and everything it refers to, added up.
 *
 * @throws {StoreError} `dangling-reference` when a path of the closure is not in the store.
 */
export async function closureSize(root: PathInfo, pathInfos: PathInfoService): Promise<bigint> {
  let total = 0n;
  for await (const { narSize } of closureOf([root], pathInfos)) total += narSize;
  return total;
}
