/**
 * The root of a mounted Nix store: one name per store path.
 */
import { decodeUtf8 } from "../base/bytes.js";
import { isStoreError, StoreError } from "../base/errors.js";
import type { RootNodes } from "../castore/fs/root-nodes.js";
import type { Node } from "../castore/node.js";
import type { LocalPathInfoService } from "./path-info/local.js";
import { StorePath } from "./store-path.js";

export class StoreRootNodes implements RootNodes {
  readonly #pathInfos: LocalPathInfoService;
  readonly #listable: boolean;

  constructor(pathInfos: LocalPathInfoService, options: { readonly listable: boolean }) {
    this.#pathInfos = pathInfos;
    this.#listable = options.listable;
  }

  /** Names that are no store path are absent without a question; so is a known hash under another name. */
  lookup(name: Uint8Array): Node | undefined {
    const storePath = storePathOf(name);
    if (storePath === undefined) return undefined;
    const pathInfo = this.#pathInfos.getResident(storePath.hash);
    return pathInfo?.storePath.equals(storePath) ? pathInfo.node : undefined;
  }

  /** What has a path info has been checked. */
  isVerified(): boolean {
    return true;
  }

  list(): readonly Uint8Array[] {
    if (!this.#listable) {
      throw new StoreError("permission-denied", "Listing the store is off (--list-root)");
    }
    const names: Uint8Array[] = [];
    for (const hash of this.#pathInfos.residentHashes()) {
      const pathInfo = this.#pathInfos.getResident(hash);
      if (pathInfo !== undefined) names.push(Buffer.from(pathInfo.storePath.basename));
    }
    return names;
  }

  changedAtMs(): number {
    return this.#pathInfos.changedAtMs();
  }
}

/** The store path called `name`; `undefined` when that is none. */
export function storePathOf(name: Uint8Array): StorePath | undefined {
  const text = decodeUtf8(name);
  if (text === undefined) return undefined;
  try {
    return StorePath.parse(text);
  } catch (error) {
    if (isStoreError(error, "invalid-argument")) return undefined;
    throw error;
  }
}
