/**
 * NARs as they are served: rendered from the content, all of which is there.
 */
import { StoreError } from "../base/errors.js";
import type { CallOptions } from "../castore/blob/service.js";
import { B3Digest } from "../castore/digest.js";
import type { Node } from "../castore/node.js";
import { encodeNode } from "../castore/node-codec.js";
import { findMissing } from "../store/completeness.js";
import { type RenderServices, renderNar } from "../store/nar/render.js";
import { SeekableNar } from "../store/nar/seekable.js";
import type { Representation } from "./representation.js";

export const NAR_TYPE = "application/x-nix-nar";
const NO_NAME = new Uint8Array(0);

/**
 * The NAR of `node`.
 *
 * @throws {StoreError} `dangling-reference` when a piece of the content is missing: nothing is served then, as a
 *   client takes a NAR that is cut for a failure of everything.
 */
export async function narResource(
  node: Node,
  services: RenderServices,
  options: CallOptions,
): Promise<Representation> {
  const missing = await findMissing(node, services, options);
  if (missing !== undefined) {
    throw new StoreError("dangling-reference", `The content is not complete here: ${missing}`);
  }
  const nar = await SeekableNar.open(node, services, options);
  return {
    type: NAR_TYPE,
    tag: B3Digest.of(encodeNode(NO_NAME, node)).hex,
    size: nar.size,
    cache: "immutable",
    open: (range, streaming) =>
      range === undefined
        ? renderNar(node, services, { ...options, ...streaming })
        : nar.stream(range, options),
  };
}
