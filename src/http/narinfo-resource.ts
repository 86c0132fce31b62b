import { createHash } from "node:crypto";
import { narinfoFromPathInfo } from "../store/narinfo/conversion.js";
import { formatNarinfo } from "../store/narinfo/narinfo.js";
import type { PathInfo } from "../store/path-info.js";
import { narUrl } from "./nar-url.js";
import { type Representation, textResource } from "./representation.js";

/** Services remember path infos, so that clients who ask for the same ones again are answered with the same text. */
const known = new WeakMap<PathInfo, Representation>();

/** The narinfo of a path, whose NAR any server with this content can answer for. */
export function narinfoResource(pathInfo: PathInfo): Representation {
  let resource = known.get(pathInfo);
  if (resource === undefined) {
    resource = render(pathInfo);
    known.set(pathInfo, resource);
  }
  return resource;
}

function render(pathInfo: PathInfo): Representation {
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
