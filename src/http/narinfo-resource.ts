import { createHash } from "node:crypto";
import { narinfoFromPathInfo } from "../store/narinfo/conversion.js";
import { formatNarinfo } from "../store/narinfo/narinfo.js";
import type { PathInfo } from "../store/path-info.js";
import { narUrl } from "./nar-url.js";
import { type Representation, textResource } from "./representation.js";

/** The narinfo of a path, whose NAR any server with this content can answer for. */
export function narinfoResource(pathInfo: PathInfo): Representation {
  const { node, narSha256, narSize } = pathInfo;
  const text = formatNarinfo(
    narinfoFromPathInfo(pathInfo, {
      url: narUrl(node, narSize),
      compression: "none",
      fileHash: { algorithm: "sha256", digest: narSha256 },
      fileSize: narSize,
    }),
  );
  return textResource(text, {
    type: "text/x-nix-narinfo",
    tag: createHash("sha256").update(text).digest("hex").slice(0, 32),
    // Signatures may be added.
    cache: "short",
  });
}
