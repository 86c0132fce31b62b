/**
 * Storing one tree, from whatever it is read.
 */
import { TaskPool } from "../base/concurrency.js";
import type { BlobService, BlobWriter, CallOptions, StoredBlob } from "./blob/service.js";
import type { DirectoryPutter, DirectoryService } from "./directory/service.js";
import type { DirectoryEntry } from "./directory.js";
import { directoryFrom } from "./directory-codec.js";
import type { Node } from "./node.js";

/** Blobs on their way to the disk: enough to share commits, at most 32 MiB of them in memory. */
const PENDING_BLOBS_MAX = 512;

/** Where a tree goes. */
export interface TreeTargets {
  readonly blobs: BlobService;
  readonly directories: DirectoryService;
}

/** What is written of {@link TreeTargets}. */
export interface TreeSink {
  readonly blobs: Pick<BlobService, "openWrite" | "putSmall">;
  readonly directories: Pick<DirectoryService, "startPut">;
}

/** Takes one tree, which is durable, and can be read elsewhere, when `settle` resolves; not piece by piece. */
export interface StagedTree extends TreeSink {
  settle(): Promise<void>;
}

/** Where trees go as a whole, where there is a cheaper way for that. */
export interface WholeTreeTargets extends TreeTargets {
  readonly stageTree?: (() => StagedTree) | undefined;
}

/** Has `store` store one tree, by the cheapest way there is. When it resolves, the tree is durable and can be read. */
export async function storeWholeTree<T>(
  targets: WholeTreeTargets,
  store: (sink: TreeSink) => Promise<T>,
): Promise<T> {
  const staged = targets.stageTree?.();
  const result = await store(staged ?? targets);
  await staged?.settle();
  return result;
}

interface OpenDirectory {
  readonly name: Uint8Array;
  readonly entries: PendingEntry[];
}

/** An entry whose node is known once its content is durable. */
interface PendingEntry {
  readonly name: Uint8Array;
  readonly node: Promise<Node>;
}

/**
 * Takes a tree from its root down, a directory before its entries and these in any order. What it is given
 * becomes durable beside the caller's reading, children before their directory. The name of the root is
 * ignored. Whatever happens, `settle` it before letting go of it.
 */
export class TreeUpload {
  readonly #blobs: TreeSink["blobs"];
  readonly #putter: DirectoryPutter;
  readonly #options: CallOptions;
  readonly #pending = new TaskPool(PENDING_BLOBS_MAX);
  readonly #stack: OpenDirectory[] = [];
  #root: Promise<Node> | undefined;

  constructor(targets: TreeSink, options: CallOptions = {}) {
    this.#blobs = targets.blobs;
    this.#putter = targets.directories.startPut(options);
    this.#options = options;
  }

  /** Whether a directory is open. */
  get isInside(): boolean {
    return this.#stack.length > 0;
  }

  /** Whether {@link ready} has to be awaited. */
  get isBusy(): boolean {
    return this.#pending.isBusy;
  }

  /** Whether small files can be given as a whole, see {@link smallFile}. */
  get takesSmallFiles(): boolean {
    return this.#blobs.putSmall !== undefined;
  }

  /** Waits until there is room for one more file; throws when something before it could not be stored. */
  async ready(): Promise<void> {
    await this.#pending.ready();
  }

  startDirectory(name: Uint8Array): void {
    this.#stack.push({ name, entries: [] });
  }

  endDirectory(): void {
    const { name, entries } = this.#stack.pop() as OpenDirectory;
    this.#add(
      name,
      this.#pending.run(() => this.#storeDirectory(entries)),
    );
  }

  symlink(name: Uint8Array, target: Uint8Array): void {
    this.#add(name, Promise.resolve({ type: "symlink", target }));
  }

  /**
   * Stores a file: `copy` writes its content, and is over when this resolves. `onStored` is told when it is
   * durable. Call {@link ready} before.
   */
  async file(
    name: Uint8Array,
    executable: boolean,
    copy: (writer: BlobWriter) => Promise<void>,
    onStored: (blob: StoredBlob) => void = () => {},
  ): Promise<void> {
    const writer = await this.#blobs.openWrite(this.#options);
    try {
      await copy(writer);
    } catch (error) {
      await writer[Symbol.asyncDispose]();
      throw error;
    }
    const node = this.#pending.run(async (): Promise<Node> => {
      await using closing = writer;
      const blob = await closing.close();
      onStored(blob);
      return { type: "file", digest: blob.digest, size: BigInt(blob.size), executable };
    });
    this.#add(name, node);
  }

  /**
   * Stores a file whose content, of at most `SMALL_BYTES_MAX` bytes, is at hand, and may change when this returns. Does
   * what {@link file} does with a tenth of the promises.
   */
  smallFile(
    name: Uint8Array,
    executable: boolean,
    content: Uint8Array,
    onStored: (blob: StoredBlob) => void = () => {},
  ): void {
    const node = this.#pending.run(async (): Promise<Node> => {
      const { digest, size } = await this.#putSmall(content);
      onStored({ digest, size });
      return { type: "file", digest, size: BigInt(size), executable };
    });
    this.#add(name, node);
  }

  /** The root, once all of the tree is as durable as the targets make it. */
  async finish(): Promise<Node> {
    const node = (await this.#root) as Node;
    if (node.type === "directory") await this.#putter.close();
    return node;
  }

  /** Waits until nothing is under way any more, whatever came of it, and gives up what is not finished. */
  async settle(): Promise<void> {
    await this.#pending.settle();
    await this.#putter[Symbol.asyncDispose]();
  }

  #putSmall(content: Uint8Array): Promise<StoredBlob> {
    if (this.#blobs.putSmall === undefined) throw new TypeError("Small files are not taken whole");
    return this.#blobs.putSmall(content);
  }

  async #storeDirectory(pending: readonly PendingEntry[]): Promise<Node> {
    const entries: DirectoryEntry[] = [];
    for (const { name, node } of pending) entries.push({ name, node: await node });
    const directory = directoryFrom(entries);
    await this.#putter.put(directory);
    return { type: "directory", digest: directory.digest, size: directory.size };
  }

  #add(name: Uint8Array, node: Promise<Node>): void {
    // A failure is thrown by `ready` or, at the latest, where the root is awaited.
    node.catch(() => {});
    const parent = this.#stack.at(-1);
    if (parent === undefined) this.#root = node;
    else parent.entries.push({ name, node });
  }
}
