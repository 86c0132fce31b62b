import { LRUCache } from "lru-cache";
import { throwIfAborted, untilAborted } from "../../base/abort.js";
import { equalBytes, toHex } from "../../base/bytes.js";
import { isStoreError, messageOf, StoreError } from "../../base/errors.js";
import type { Logger } from "../../base/log.js";
import { SingleFlight } from "../../base/single-flight.js";
import type { BlobService, CallOptions, StoredBlob } from "../../castore/blob/service.js";
import { B3Digest } from "../../castore/digest.js";
import type { DirectoryService } from "../../castore/directory/service.js";
import type { Directory } from "../../castore/directory.js";
import type { ProvisionalFile, ProvisionalObjects } from "../../castore/fs/provisional-source.js";
import type { Node } from "../../castore/node.js";
import type { ShownPath } from "../fetchable-root-nodes.js";
import type { Narinfo } from "../narinfo/narinfo.js";
import type { DownloadWatcher, SubstitutingPathInfoService } from "../path-info/substituting.js";
import type { PathInfo } from "../path-info.js";
import type { Offer } from "../substitution/upstream.js";
import { findDifference } from "./difference.js";
import { fetchFilePart } from "./file-part.js";
import { readListing } from "./listed-tree.js";
import { makeUpDigest, markIn, markOf, type NarPlace, placeIn } from "./made-up-digest.js";
import { ProvisionalPath } from "./provisional-path.js";

/** A listing that is larger, of some 150,000 files, is not used. */
const LISTING_BYTES_MAX = 16 * 1024 * 1024;
/** Of all paths that are shown before they are here; a tree in memory takes a few times as much. */
const LISTINGS_BYTES_MAX = 64 * 1024 * 1024;
const WITHDRAWN_MAX = 100_000;
/** A file that is larger is waited for: fetching it alone would transfer too much of the NAR twice. */
const PART_BYTES_MAX = 64 * 1024 * 1024;

/**
 * The whole NAR follows when there is reason to think that more of it will be wanted: some time after the first
 * file was read, or once so many, or so much, have been. Begun at once it would take the bandwidth of those who
 * wait for a file; and who only looks around has not asked for it at all.
 */
const FOLLOW_FILES = 32;
const FOLLOW_BYTES = 8 * 1024 * 1024;
/** How many NARs may follow at once, beside those that someone waits for. */
const FOLLOWING_MAX = 4;

export interface ProvisionalOptions {
  readonly substitution: SubstitutingPathInfoService;
  /** Where the contents of single files go. */
  readonly blobs: BlobService;
  /** Where what has arrived is. */
  readonly directories: DirectoryService;
  readonly log: Logger;
  /** Has the inode numbers of the root called `name`, shown as `from`, mean `to` from now on, or nothing. */
  readonly rebind: (name: Uint8Array, from: Node, to: Node | undefined) => void;
  /** How long after the first file was read the rest follows. */
  readonly followMs: number;
  readonly listingBytesMax?: number;
}

/**
 * Store paths that are shown as the listings of binary caches say they are, before they are here. Nobody vouches
 * for a listing. When a path has arrived it is compared: one that is the same keeps its inode numbers, one that is
 * not is withdrawn, and what has arrived is shown under other numbers.
 */
export class ProvisionalPaths implements ProvisionalObjects, DownloadWatcher {
  readonly #options: ProvisionalOptions;
  /** By hash, in hex. */
  readonly #paths = new Map<string, ProvisionalPath>();
  readonly #byMark = new Map<string, ProvisionalPath>();
  /** Hashes of paths whose listing or NAR was wrong: they are shown when they are here. */
  readonly #withdrawn = new LRUCache<string, true>({
    maxSize: WITHDRAWN_MAX,
    sizeCalculation: () => 1,
  });
  readonly #beginning = new SingleFlight<boolean>();
  readonly #parts = new SingleFlight<void>();
  readonly #closing = new AbortController();
  #listingsBytes = 0;
  #following = 0;

  constructor(options: ProvisionalOptions) {
    this.#options = options;
    options.substitution.watch(this);
    options.substitution.onReceived((hash) => {
      for (const listener of this.#paths.get(hash)?.onProgress ?? []) listener();
    });
  }

  /** What is shown of the store path with this hash, in hex. */
  shown(hash: string): ShownPath | undefined {
    return this.#paths.get(hash);
  }

  directory(digest: B3Digest): Directory | undefined {
    for (const { listed } of this.#paths.values()) {
      const directory = listed.directories.get(digest.hex);
      if (directory !== undefined) return directory;
    }
    return undefined;
  }

  file(digest: B3Digest): ProvisionalFile | undefined {
    const path = this.#byMark.get(markIn(digest));
    return path && { blob: path.blobAt(placeIn(digest)) };
  }

  /**
   * Shows the store path with this hash, in hex, if a cache that may be believed offers it with a listing.
   *
   * @returns whether it is shown now.
   * @throws {StoreError} when the caches cannot tell whether they have it.
   */
  async show(hash: string, { signal }: CallOptions): Promise<boolean> {
    if (this.#paths.has(hash)) return true;
    if (this.#withdrawn.has(hash)) return false;
    return await this.#beginning.run(hash, (shared) => this.#begin(hash, shared), signal);
  }

  /**
   * Makes the content of the file with this made-up digest, in hex, known: as a part of the NAR where that is
   * quick, else when the download has come to it. Also returns when its path is over, as another question to the
   * file system will tell.
   *
   * @throws {StoreError} why it cannot be had.
   */
  async fetchFile(digest: string, signal: AbortSignal, onProgress: () => void): Promise<void> {
    const madeUp = B3Digest.from(Buffer.from(digest, "hex"));
    const path = this.#byMark.get(markIn(madeUp));
    if (path === undefined) return;
    const place = placeIn(madeUp);
    path.onProgress.add(onProgress);
    try {
      if (path.state === "open" && path.givesParts && place.size <= PART_BYTES_MAX) {
        await this.#parts.run(digest, (shared) => this.#fetchPart(path, place, shared), signal);
      }
      const isWanted = () => path.state !== "over" && path.blobAt(place) === undefined;
      if (!isWanted()) return;
      const download = this.#download(path);
      await untilAborted(Promise.race([download, path.untilKept(place.offset)]), signal);
      // What is kept there has another length than was listed: all of it tells.
      if (isWanted()) await untilAborted(download, signal);
    } finally {
      path.onProgress.delete(onProgress);
    }
  }

  onFile({ storePath, narSha256 }: Narinfo, offset: number, blob: StoredBlob): void {
    const path = this.#paths.get(toHex(storePath.hash));
    // Another cache may have another NAR of it.
    if (path !== undefined && equalBytes(path.offer.narinfo.narSha256, narSha256)) {
      path.keep(offset, blob);
    }
  }

  async onArrival(pathInfo: PathInfo, store: () => Promise<PathInfo>): Promise<PathInfo> {
    const path = this.#paths.get(toHex(pathInfo.storePath.hash));
    if (path === undefined) return await store();
    path.state = "comparing";
    try {
      await this.#settle(path, pathInfo);
      return await store();
    } finally {
      this.#remove(path);
    }
  }

  /** Ends the downloads that nobody waits for. */
  close(): void {
    this.#closing.abort();
    for (const path of this.#paths.values()) clearTimeout(path.timer);
  }

  async #begin(hash: string, signal: AbortSignal): Promise<boolean> {
    const { substitution, log } = this.#options;
    const offer = await substitution.describe(Buffer.from(hash, "hex"), { signal });
    if (offer === undefined || !("upstream" in offer)) return false;
    const { narinfo, upstream } = offer;
    try {
      const path = await this.#listed(offer, signal);
      if (path === undefined) return false;
      this.#paths.set(hash, path);
      this.#byMark.set(path.mark, path);
      substitution.lookAhead(offer);
      return true;
    } catch (error) {
      throwIfAborted(signal);
      if (!isStoreError(error)) throw error;
      const from = `the listing of ${narinfo.storePath} that ${upstream.address} has`;
      log.warn({}, `Cannot use ${from}: ${error.message}. It is fetched as a whole`);
      return false;
    }
  }

  async #listed(offer: Offer, signal: AbortSignal): Promise<ProvisionalPath | undefined> {
    const { narinfo, upstream } = offer;
    const { listingBytesMax = LISTING_BYTES_MAX } = this.#options;
    if (this.#listingsBytes >= LISTINGS_BYTES_MAX) return undefined;
    const listing = await upstream.listing(narinfo, listingBytesMax, { signal });
    if (listing === undefined) return undefined;
    const mark = markOf(narinfo);
    const tree = readListing(listing, (place) => makeUpDigest(mark, place));
    if (BigInt(tree.narSize) !== narinfo.narSize) {
      throw new StoreError(
        "corrupt",
        `what it lists takes a NAR of ${tree.narSize} bytes, the narinfo says ${narinfo.narSize}`,
      );
    }
    this.#listingsBytes += listing.length;
    return new ProvisionalPath(offer, tree, mark, listing.length);
  }

  /** Counts a file that was read, and sees to it that all of its path follows. */
  #count(path: ProvisionalPath, { size }: NarPlace): void {
    path.read.files++;
    path.read.bytes += size;
    if (path.read.files >= FOLLOW_FILES || path.read.bytes >= FOLLOW_BYTES) this.#follow(path);
    else path.timer ??= this.#followLater(path);
  }

  #followLater(path: ProvisionalPath): NodeJS.Timeout {
    const { followMs } = this.#options;
    return setTimeout(() => {
      path.timer = undefined;
      this.#follow(path);
    }, followMs).unref();
  }

  #follow(path: ProvisionalPath): void {
    if (path.state !== "open" || path.download !== undefined) return;
    if (this.#following >= FOLLOWING_MAX) {
      path.timer ??= this.#followLater(path);
      return;
    }
    this.#following++;
    this.#download(path)
      .catch((error: unknown) => {
        // Its reason has been told where the path was withdrawn. Else, whoever reads next begins it again.
        if (path.state === "over" || this.#closing.signal.aborted) return;
        this.#options.log.warn({}, `Cannot complete ${path.storePath}: ${messageOf(error)}`);
      })
      .finally(() => this.#following--);
  }

  /** The download of all of `path`, begun unless it is under way. */
  #download(path: ProvisionalPath): Promise<void> {
    path.download ??= this.#receive(path).finally(() => {
      path.download = undefined;
    });
    return path.download;
  }

  async #receive(path: ProvisionalPath): Promise<void> {
    const { substitution } = this.#options;
    let found: PathInfo | undefined;
    try {
      found = await substitution.get(path.storePath.hash, { signal: this.#closing.signal });
    } catch (error) {
      // What could not be had may be had later; what was wrong was shown before it was known to be.
      if (isStoreError(error, "corrupt")) this.#withdraw(path, error.message);
      throw error;
    }
    if (path.state === "over") return;
    // It came by another way than from a cache, or all of them have dropped it.
    if (found === undefined) this.#withdraw(path, "no substituter has it any more");
    else this.#unbind(path);
    this.#remove(path);
  }

  async #fetchPart(path: ProvisionalPath, place: NarPlace, signal: AbortSignal): Promise<void> {
    const onPiece = (): void => {
      for (const listener of path.onProgress) listener();
    };
    try {
      const { blobs } = this.#options;
      const blob = await fetchFilePart(path.offer, place, blobs, onPiece, { signal });
      // What has arrived meanwhile is compared with what was shown before.
      if (path.state !== "open") return;
      path.keep(place.offset, blob);
      this.#count(path, place);
    } catch (error) {
      throwIfAborted(signal);
      if (!isStoreError(error)) throw error;
      if (isStoreError(error, "unsupported")) path.givesParts = false;
      this.#options.log.debug({}, `Waiting for all of ${path.storePath}: ${error.message}`);
    }
  }

  /** Compares what has arrived with what was listed, and has the inode numbers follow. */
  async #settle(path: ProvisionalPath, { storePath, node }: PathInfo): Promise<void> {
    const { directories, rebind } = this.#options;
    const difference = storePath.equals(path.storePath)
      ? await findDifference(path.listed, node, directories, (file) => path.blobOf(file))
      : `it is ${storePath}`;
    if (difference !== undefined) {
      this.#withdraw(
        path,
        `the listing of ${path.offer.upstream.address} was wrong: ${difference}`,
      );
    } else if (spanOf(node) !== spanOf(path.listed.root)) {
      // Right, but written with the other way of counting entries: its numbers mean something else.
      this.#unbind(path);
    } else {
      rebind(path.name, path.listed.root, node);
      path.verify(node);
    }
  }

  #withdraw(path: ProvisionalPath, why: string): void {
    this.#options.log.error(
      { path: String(path.storePath) },
      `Withdrew ${path.storePath}, which was shown before it was checked: ${why}`,
    );
    this.#withdrawn.set(path.hash, true);
    this.#unbind(path);
    this.#remove(path);
  }

  /** Takes the meaning from the inode numbers that were given. */
  #unbind(path: ProvisionalPath): void {
    this.#options.rebind(path.name, path.listed.root, undefined);
  }

  #remove(path: ProvisionalPath): void {
    if (path.state === "over") return;
    this.#paths.delete(path.hash);
    this.#byMark.delete(path.mark);
    this.#listingsBytes -= path.listingBytes;
    path.end();
  }
}

function spanOf(node: Node): bigint {
  return node.type === "directory" ? node.size : 0n;
}
