/**
 * What a signature of a path info signs:
 *
 *   fingerprint := "1;" store-path ";sha256:" nar-sha256 ";" nar-size ";" [ reference { "," reference } ]
 *
 * with absolute store paths, the hash in nixbase32 and the size in decimal. The references are a set: in
 * byte order, each once, in whatever order a path info has them. A reference to itself counts. Nothing
 * else of a path info is signed: neither the deriver nor the content address, nor where a NAR is found.
 */
import { formatHash } from "../nix-hash.js";
import type { PathInfo } from "../path-info.js";

export type Fingerprinted = Pick<PathInfo, "storePath" | "narSha256" | "narSize" | "references">;

export function fingerprint(pathInfo: Fingerprinted): Buffer {
  const references = [...new Set(pathInfo.references.map(String))].sort();
  const narHash = formatHash({ algorithm: "sha256", digest: pathInfo.narSha256 });
  return Buffer.from(
    `1;${pathInfo.storePath};${narHash};${pathInfo.narSize};${references.join(",")}`,
  );
}
