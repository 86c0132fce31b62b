import { StoreError } from "../../base/errors.js";
import type { WholeTreeTargets } from "../../castore/tree-upload.js";
import { findMissing } from "../completeness.js";
import { verifyContentAddress } from "../content-address-verify.js";
import { NarCalculator } from "../nar/calculation.js";
import type { NarRecords } from "../nar/records.js";
import type { RenderServices } from "../nar/render.js";
import type { PathInfoService } from "../path-info/service.js";
import type { PathInfo } from "../path-info.js";
import { BlobCopier } from "./blob-copier.js";
import { copyTree } from "./copy-tree.js";
import type { AddOptions, CopyTarget, Moved } from "./target.js";

export interface StoreTargetServices extends WholeTreeTargets {
  readonly pathInfos: PathInfoService;
  readonly nars?: NarRecords | undefined;
}

export interface StoreTargetOptions {
  /**
   * What is known of NARs at a source on this machine: hashes are calculated there then, and not again where they have
   * been. Without it they are calculated from what has arrived.
   */
  readonly sourceNars?: NarRecords | undefined;
}

/** Copies into three services, which may be anywhere. What a source says of its content is not taken on trust. */
export class StoreTarget implements CopyTarget {
  readonly #services: StoreTargetServices;
  readonly #options: StoreTargetOptions;
  readonly #copier = new BlobCopier();

  constructor(services: StoreTargetServices, options: StoreTargetOptions = {}) {
    this.#services = services;
    this.#options = options;
  }

  /** A path info alone is not enough: a mount keeps those of what it has not fetched yet. */
  async has({ storePath }: PathInfo): Promise<boolean> {
    const known = await this.#services.pathInfos.get(storePath.hash);
    if (known === undefined) return false;
    return (await findMissing(known.node, this.#services)) === undefined;
  }

  async add(
    pathInfo: PathInfo,
    source: RenderServices,
    { signal, onBytes, referencesDone }: AddOptions,
  ): Promise<Moved> {
    const how = { copier: this.#copier, signal, onBytes };
    const moved = await copyTree(pathInfo.node, source, this.#services, how);
    await this.#verify(pathInfo, source, signal);
    await referencesDone;
    const { node, narSha256, narSize } = pathInfo;
    // Started together, they share a commit.
    await Promise.all([
      this.#services.pathInfos.put(pathInfo, { signal }),
      this.#services.nars?.remember(node, { narSha256, narSize }),
    ]);
    return moved;
  }

  async #verify(pathInfo: PathInfo, source: RenderServices, signal: AbortSignal): Promise<void> {
    const { sourceNars } = this.#options;
    const content = sourceNars === undefined ? this.#services : source;
    if (!(await new NarCalculator(content, sourceNars).bearsOut(pathInfo, { signal }))) {
      const { storePath } = pathInfo;
      throw new StoreError("corrupt", `The content of ${storePath} does not have its NAR hash`);
    }
    await verifyContentAddress(pathInfo, content, { signal });
  }
}
