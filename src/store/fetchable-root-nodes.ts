/**
 * The root of a mounted Nix store of which more can be fetched.
 */
import { toHex } from "../base/bytes.js";
import { Miss } from "../castore/fs/file-system.js";
import type { RootNodes } from "../castore/fs/root-nodes.js";
import type { Node } from "../castore/node.js";
import type { LocalPathInfoService } from "./path-info/local.js";
import type { StorePath } from "./store-path.js";
import { type StoreRootNodes, storePathOf } from "./store-root-nodes.js";

export type RootWant =
  /** The path info of the store path with this hash, in hex. */
  | { readonly type: "path-info"; readonly hash: string }
  /** All path infos there are. */
  | { readonly type: "path-infos" };

/** What is known beside what is resident: only for a while, and only in the thread that fetches. */
export interface RootKnowledge {
  /** Whether no path info with this hash, in hex, was to be had a moment ago. */
  isAbsent(hash: string): boolean;
  /** Whether all path infos were fetched a moment ago. */
  isListed(): boolean;
  /** What is shown of the store path with this hash, in hex, before its path info is stored. */
  shown(hash: string): ShownPath | undefined;
}

/** A store path whose content is not here yet, or not known to be right. */
export interface ShownPath {
  readonly storePath: StorePath;
  readonly node: Node;
  readonly isVerified: boolean;
}

/** Knows nothing: for threads that do not fetch. */
export const NO_KNOWLEDGE: RootKnowledge = {
  isAbsent: () => false,
  isListed: () => false,
  shown: () => undefined,
};

/**
 * How long a listing is believed, here and by the kernel. It asks for one again when the modification time
 * has moved, and nobody tells us when far has changed.
 */
export const LISTED_MS = 10_000;

/** Throws `Miss` with a {@link RootWant} for what is not resident and not known to be absent. */
export class FetchableRootNodes implements RootNodes {
  readonly #inner: StoreRootNodes;
  readonly #pathInfos: LocalPathInfoService;
  readonly #knowledge: RootKnowledge;
  readonly #listable: boolean;

  constructor(
    inner: StoreRootNodes,
    pathInfos: LocalPathInfoService,
    knowledge: RootKnowledge,
    options: { readonly listable: boolean },
  ) {
    this.#inner = inner;
    this.#pathInfos = pathInfos;
    this.#knowledge = knowledge;
    this.#listable = options.listable;
  }

  lookup(name: Uint8Array): Node | undefined {
    const node = this.#inner.lookup(name);
    if (node !== undefined) return node;
    const storePath = storePathOf(name);
    // No store path, or one that is there under another name.
    if (storePath === undefined) return undefined;
    if (this.#pathInfos.getResident(storePath.hash) !== undefined) return undefined;
    const hash = toHex(storePath.hash);
    const shown = this.#knowledge.shown(hash);
    if (shown !== undefined) return shown.storePath.equals(storePath) ? shown.node : undefined;
    if (this.#knowledge.isAbsent(hash)) return undefined;
    throw new Miss({ type: "path-info", hash } satisfies RootWant);
  }

  isVerified(name: Uint8Array): boolean {
    const storePath = storePathOf(name);
    if (storePath === undefined || this.#inner.lookup(name) !== undefined) return true;
    return this.#knowledge.shown(toHex(storePath.hash))?.isVerified ?? true;
  }

  list(): readonly Uint8Array[] {
    if (this.#listable && !this.#knowledge.isListed()) {
      throw new Miss({ type: "path-infos" } satisfies RootWant);
    }
    return this.#inner.list();
  }

  changedAtMs(): number {
    const changedMs = this.#inner.changedAtMs();
    if (!this.#listable) return changedMs;
    return Math.max(changedMs, Math.floor(Date.now() / LISTED_MS) * LISTED_MS);
  }
}
