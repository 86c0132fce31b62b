/**
 * How a store becomes a file system: root nodes below the root, the castore tree below each of them.
 *
 * Memory does not grow with what was looked at: positions are found again from the number alone, decoded
 * directories and recent positions are caches.
 */
import { LRUCache } from "lru-cache";
import { atMost } from "../../base/at-most.js";
import { StoreError } from "../../base/errors.js";
import type { B3Digest } from "../digest.js";
import type { Directory } from "../directory.js";
import type { DirectoryNode, Node } from "../node.js";
import {
  type Attributes,
  type Capacity,
  type FileSystem,
  type Listing,
  ROOT_INODE,
} from "./file-system.js";
import { ChildOffsets, InodeRanges, lastAtMost, type RootRange } from "./inode-ranges.js";
import { RangeLog } from "./range-log.js";
import type { RootNodes } from "./root-nodes.js";

/** What a projection reads from; throws as `ResidentStore` does. */
export interface ResidentSource {
  refresh(): void;
  directory(digest: B3Digest): Directory;
  read(digest: B3Digest, size: number, offset: number, target: Uint8Array): number;
  blobFile(digest: B3Digest, size: number): string | undefined;
  capacity(): Capacity;
}

/** Nix's canonical time: one second after the epoch. */
const STORE_MTIME_MS = 1000;
const DIRECTORY_CACHE_BYTES = 64 * 1024 * 1024;
/** Two changes within a millisecond look like one: a listing is not kept for long. */
const ROOT_LISTING_MS = 1000;
const POSITIONS_MAX = 16_384;
/** Rough cost of a cached directory besides its bytes, and per entry. */
const DIRECTORY_BYTES = 512;
const ENTRY_BYTES = 36;

/** Whether what is shown here has been checked. */
const VERIFIED_NAME = "user.tvix.verified";
/** Digests are not known before. */
const UNVERIFIED: ReadonlyMap<string, string> = new Map([[VERIFIED_NAME, "no"]]);

interface Folder {
  readonly directory: Directory;
  readonly offsets: ChildOffsets;
}

export class Projection implements FileSystem {
  readonly #roots: RootNodes;
  readonly #source: ResidentSource;
  readonly #ranges: InodeRanges;
  readonly #folders = new LRUCache<string, Folder>({
    maxSize: DIRECTORY_CACHE_BYTES,
    sizeCalculation: ({ directory }) =>
      DIRECTORY_BYTES + directory.bytes.length + directory.count * ENTRY_BYTES,
  });
  #rootListing: { listing: Listing; changedAtMs: number; expiresMs: number } | undefined;
  /** Where the last search ended: files of one folder are often asked for one after the other. */
  #lastFolder: RootRange | undefined;
  /** Nodes by inode. */
  readonly #positions = new LRUCache<number, Node>(atMost(POSITIONS_MAX));
  /** The changes of {@link #ranges} that positions take account of. */
  #changes = 0;

  /** Projections of one mount in several threads share one `log`. */
  constructor(roots: RootNodes, source: ResidentSource, log = new RangeLog()) {
    this.#roots = roots;
    this.#source = source;
    this.#ranges = new InodeRanges(log, roots);
  }

  /**
   * Has the numbers below the root called `name`, which was `from`, mean `to` from now on, in all threads: a tree
   * of the same shape, or nothing.
   *
   * @throws {StoreError} `limit-exceeded` when that cannot be noted.
   */
  rebind(name: Uint8Array, from: Node, to: Node | undefined): void {
    this.#ranges.rebind(name, from, to);
  }

  lookup(parent: number, name: Uint8Array): Attributes | undefined {
    this.#source.refresh();
    if (parent === ROOT_INODE) {
      const node = this.#roots.lookup(name);
      return node === undefined ? undefined : this.#rootEntry(name, node);
    }
    const node = this.#directoryAt(parent);
    const folder = this.#folder(node);
    const index = folder.directory.indexOf(name);
    return index < 0 ? undefined : this.#childAttributes(parent, folder, index);
  }

  attributes(inode: number): Attributes {
    this.#source.refresh();
    if (inode !== ROOT_INODE) return attributesOf(inode, this.#nodeAt(inode));
    return {
      inode,
      type: "directory",
      executable: false,
      size: 0,
      mtimeMs: this.#roots.changedAtMs(),
    };
  }

  list(inode: number): Listing {
    this.#source.refresh();
    if (inode === ROOT_INODE) return this.#listRoots();
    const folder = this.#folder(this.#directoryAt(inode));
    return {
      count: folder.directory.count,
      name: (index) => folder.directory.name(index),
      // Positions are not remembered here: a large folder would push out all others.
      attributes: (index) =>
        attributesOf(inode + folder.offsets.start(index), folder.directory.node(index)),
      cookie: (index) => index + 1,
      indexAfter: (cookie) => cookie,
    };
  }

  readLink(inode: number): Uint8Array {
    this.#source.refresh();
    const node = this.#nodeAt(inode);
    if (node.type === "symlink") return node.target;
    throw new StoreError("invalid-argument", `Inode ${inode} is a ${node.type}, not a symlink`);
  }

  read(inode: number, offset: number, target: Uint8Array): number {
    this.#source.refresh();
    const node = this.#nodeAt(inode);
    if (node.type === "file") {
      return this.#source.read(node.digest, fileSize(node.size), offset, target);
    }
    throw new StoreError("invalid-argument", `Inode ${inode} is a ${node.type}, not a file`);
  }

  backingFile(inode: number): string | undefined {
    this.#source.refresh();
    const node = this.#nodeAt(inode);
    if (node.type !== "file") return undefined;
    return this.#source.blobFile(node.digest, fileSize(node.size));
  }

  extendedAttributes(inode: number): ReadonlyMap<string, string> {
    this.#source.refresh();
    const node = inode === ROOT_INODE ? undefined : this.#nodeAt(inode);
    if (node === undefined || node.type === "symlink") return new Map();
    const root = this.#ranges.rootName(inode);
    if (root !== undefined && !this.#roots.isVerified(root)) return UNVERIFIED;
    const kind = node.type === "file" ? "blob" : "directory";
    return new Map([
      [`user.tvix.castore.${kind}.digest`, node.digest.toString()],
      [VERIFIED_NAME, "yes"],
    ]);
  }

  capacity(): Capacity {
    return this.#source.capacity();
  }

  /** Roots in the order of their numbers: whatever comes later has a higher one. */
  #listRoots(): Listing {
    // Read one piece at a time, a long listing is asked for over and over.
    const changedAtMs = this.#roots.changedAtMs();
    const nowMs = performance.now();
    const last = this.#rootListing;
    if (last?.changedAtMs === changedAtMs && nowMs < last.expiresMs) return last.listing;
    const listing = this.#buildRootListing();
    this.#rootListing = { listing, changedAtMs, expiresMs: nowMs + ROOT_LISTING_MS };
    return listing;
  }

  #buildRootListing(): Listing {
    const entries: { readonly name: Uint8Array; readonly attributes: Attributes }[] = [];
    for (const name of this.#roots.list()) {
      const node = this.#roots.lookup(name);
      if (node !== undefined) entries.push({ name, attributes: this.#rootEntry(name, node) });
    }
    entries.sort((a, b) => a.attributes.inode - b.attributes.inode);
    const at = (index: number) => entries[index] as (typeof entries)[number];
    return {
      count: entries.length,
      name: (index) => at(index).name,
      attributes: (index) => at(index).attributes,
      cookie: (index) => at(index).attributes.inode,
      indexAfter: (cookie) =>
        1 + lastAtMost(entries.length, cookie, (index) => at(index).attributes.inode),
    };
  }

  #rootEntry(name: Uint8Array, node: Node): Attributes {
    return attributesOf(this.#ranges.baseOf(name, node), node);
  }

  #childAttributes(parent: number, folder: Folder, index: number): Attributes {
    const inode = parent + folder.offsets.start(index);
    const node = folder.directory.node(index);
    this.#positions.set(inode, node);
    return attributesOf(inode, node);
  }

  #directoryAt(inode: number): DirectoryNode {
    const node = this.#nodeAt(inode);
    if (node.type === "directory") return node;
    throw new StoreError("invalid-argument", `Inode ${inode} is a ${node.type}, not a directory`);
  }

  /** Finds a position again by descending from its root, or from the folder it was last found in. */
  #nodeAt(inode: number): Node {
    const { changes } = this.#ranges;
    if (changes !== this.#changes) {
      this.#changes = changes;
      this.#positions.clear();
      this.#lastFolder = undefined;
    }
    const recent = this.#positions.get(inode);
    if (recent !== undefined) return recent;
    let position: RootRange | undefined = this.#lastFolder;
    if (position === undefined || !holds(position, inode)) position = this.#ranges.find(inode);
    if (position === undefined) throw noSuchInode(inode);
    let { base, node } = position;
    while (base !== inode) {
      if (node.type !== "directory") throw noSuchInode(inode);
      this.#lastFolder = { base, node };
      const { directory, offsets } = this.#folder(node);
      const index = offsets.find(inode - base);
      if (index < 0) throw noSuchInode(inode);
      base += offsets.start(index);
      node = directory.node(index);
    }
    this.#positions.set(inode, node);
    return node;
  }

  #folder(node: DirectoryNode): Folder {
    const key = node.digest.hex;
    let folder = this.#folders.get(key);
    if (folder === undefined) {
      const directory = this.#source.directory(node.digest);
      folder = { directory, offsets: new ChildOffsets(directory) };
      this.#folders.set(key, folder);
    }
    if (folder.offsets.span > 1 + Number(node.size)) {
      throw new StoreError(
        "corrupt",
        `Directory ${node.digest} holds ${folder.offsets.span - 1} entries, its parent says ${node.size}`,
      );
    }
    return folder;
  }
}

/** Whether `inode` lies below the directory whose own number is `base`. */
function holds({ base, node }: RootRange, inode: number): boolean {
  return node.type === "directory" && inode > base && inode <= base + Number(node.size);
}

function attributesOf(inode: number, node: Node): Attributes {
  return {
    inode,
    type: node.type,
    executable: node.type === "file" && node.executable,
    size: node.type === "symlink" ? node.target.length : fileSize(node.size),
    mtimeMs: STORE_MTIME_MS,
  };
}

/** A size as the kernel takes it; what does not fit was never stored, and fails when it is read. */
function fileSize(size: bigint): number {
  return Number(size < BigInt(Number.MAX_SAFE_INTEGER) ? size : BigInt(Number.MAX_SAFE_INTEGER));
}

function noSuchInode(inode: number): StoreError {
  return new StoreError("not-found", `There is no inode ${inode}`);
}
