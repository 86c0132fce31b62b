/**
 * NARs as they are served: rendered from the content, all of which is there.
 */
import { LRUCache } from "lru-cache";
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

/** How long it is relied on that a tree is complete: clients ask for the parts of a large NAR one after the other. */
const COMPLETE_MS = 10_000;
/** Of all trees that are remembered; each takes about 100 bytes. */
const DIRECTORIES_MAX = 100_000;

/** The NARs of one store. */
export class NarResources {
  readonly #services: RenderServices;
  readonly #complete = new LRUCache<
    string,
    { readonly nar: SeekableNar; readonly untilMs: number }
  >({
    maxSize: DIRECTORIES_MAX,
    sizeCalculation: ({ nar }) => 1 + nar.directoryCount,
  });

  constructor(services: RenderServices) {
    this.#services = services;
  }

  /**
   * The NAR of `node`.
   *
   * @throws {StoreError} `dangling-reference` when a piece of the content is missing: nothing is served then, as a
   *   client takes a NAR that is cut for a failure of everything.
   */
  async get(node: Node, options: CallOptions): Promise<Representation> {
    const tag = B3Digest.of(encodeNode(NO_NAME, node)).hex;
    let known = this.#complete.get(tag);
    if (known === undefined || known.untilMs < performance.now()) {
      known = { nar: await this.#open(node, options), untilMs: performance.now() + COMPLETE_MS };
      this.#complete.set(tag, known);
    }
    const { nar } = known;
    return {
      type: NAR_TYPE,
      tag,
      size: nar.size,
      cache: "immutable",
      open: (range, streaming) =>
        range === undefined
          ? renderNar(node, this.#services, { ...options, ...streaming })
          : nar.stream(range, options),
    };
  }

  async #open(node: Node, options: CallOptions): Promise<SeekableNar> {
    const missing = await findMissing(node, this.#services, options);
    if (missing !== undefined) {
      throw new StoreError("dangling-reference", `The content is not complete here: ${missing}`);
    }
    return await SeekableNar.open(node, this.#services, options);
  }
}
