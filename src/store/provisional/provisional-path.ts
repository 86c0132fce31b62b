import { toHex } from "../../base/bytes.js";
import type { StoredBlob } from "../../castore/blob/service.js";
import type { B3Digest } from "../../castore/digest.js";
import type { FileNode, Node } from "../../castore/node.js";
import type { ShownPath } from "../fetchable-root-nodes.js";
import type { StorePath } from "../store-path.js";
import type { Offer } from "../substitution/upstream.js";
import type { ListedTree } from "./listed-tree.js";
import { type NarPlace, placeIn } from "./made-up-digest.js";

/**
 * A store path that is shown as a listing says it is, and what has come of its content. It is `open` until all of
 * it has arrived, or it is withdrawn; while what has arrived is compared, nothing new is shown.
 */
export class ProvisionalPath implements ShownPath {
  readonly offer: Offer;
  readonly listed: ListedTree;
  /** Of its made-up digests, in hex. */
  readonly mark: string;
  /** How long the listing was. */
  readonly listingBytes: number;
  /** How much of it was read before it has arrived. */
  readonly read = { files: 0, bytes: 0 };
  /** Told of every piece that comes. */
  readonly onProgress = new Set<() => void>();
  /** The download under way. */
  download: Promise<void> | undefined;
  /** When the download is to begin. */
  timer: NodeJS.Timeout | undefined;
  /** Whether the cache gives parts of this NAR. */
  givesParts: boolean;
  state: "open" | "comparing" | "over" = "open";
  #verified: Node | undefined;
  /** By offset in the NAR. */
  readonly #blobs = new Map<number, StoredBlob>();
  readonly #waiting = new Map<number, Set<() => void>>();

  constructor(offer: Offer, listed: ListedTree, mark: Uint8Array, listingBytes: number) {
    this.offer = offer;
    this.listed = listed;
    this.mark = toHex(mark);
    this.listingBytes = listingBytes;
    this.givesParts = offer.narinfo.compression === "none";
  }

  get storePath(): StorePath {
    return this.offer.narinfo.storePath;
  }

  get hash(): string {
    return toHex(this.storePath.hash);
  }

  get name(): Uint8Array {
    return Buffer.from(this.storePath.basename);
  }

  get node(): Node {
    return this.#verified ?? this.listed.root;
  }

  get isVerified(): boolean {
    return this.#verified !== undefined;
  }

  /** The blob at `place` of the NAR; `undefined` when it is not here, or the listing gives it another length. */
  blobAt({ offset, size }: NarPlace): B3Digest | undefined {
    const blob = this.#blobs.get(offset);
    return blob?.size === size ? blob.digest : undefined;
  }

  /** The blob of a listed file, as {@link blobAt}. */
  blobOf(file: FileNode): B3Digest | undefined {
    return this.blobAt(placeIn(file.digest));
  }

  /** What lies at `offset` of the NAR is `blob`. What was shown before stays. */
  keep(offset: number, blob: StoredBlob): void {
    if (!this.#blobs.has(offset)) this.#blobs.set(offset, blob);
    for (const resolve of this.#waiting.get(offset) ?? []) resolve();
    this.#waiting.delete(offset);
  }

  /** Resolves when something at `offset` of the NAR is here, or the path is over. */
  untilKept(offset: number): Promise<void> {
    return new Promise((resolve) => {
      const waiting = this.#waiting.get(offset) ?? new Set();
      this.#waiting.set(offset, waiting.add(resolve));
    });
  }

  /** All has arrived, and is what was listed: `node`. */
  verify(node: Node): void {
    this.#verified = node;
  }

  /** Lets those go on who wait. */
  end(): void {
    this.state = "over";
    clearTimeout(this.timer);
    for (const waiting of this.#waiting.values()) for (const resolve of waiting) resolve();
    this.#waiting.clear();
  }
}
