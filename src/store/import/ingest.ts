/**
 * From a tree on disk to a node in the castore, in one pass: every byte is read once and feeds the blob
 * and the NAR hash together.
 */
import { TaskPool } from "../../base/concurrency.js";
import type { BlobService, BlobWriter } from "../../castore/blob/service.js";
import type { DirectoryPutter, DirectoryService } from "../../castore/directory/service.js";
import type { DirectoryEntry } from "../../castore/directory.js";
import { directoryFrom } from "../../castore/directory-codec.js";
import type { Node } from "../../castore/node.js";
import { type NarHash, NarHasher } from "../nar/hasher.js";
import { type NarSink, NarWriter } from "../nar/writer.js";
import { StableFile } from "./stable-file.js";
import { type WalkStep, walk } from "./walk.js";

/** Blobs on their way to the disk: enough to share commits, at most 32 MiB of them in memory. */
const PENDING_BLOBS_MAX = 512;
const PIECE_BYTES = 1024 * 1024;

export interface IngestTargets {
  readonly blobs: BlobService;
  readonly directories: DirectoryService;
}

/** Counts up while an import runs. */
export interface ImportProgress {
  /** Files, folders and symlinks that are done. */
  readonly entries: number;
  /** Bytes of file contents. */
  readonly bytes: number;
}

export interface IngestedTree extends NarHash {
  readonly node: Node;
}

/**
 * Stores the tree at `path`. When it resolves, all of it is durable. `onNar` is given the NAR as it passes.
 *
 * @throws {StoreError} naming the path that could not be read, is of an unsupported kind, or changed.
 */
export async function ingestTree(
  path: Uint8Array,
  targets: IngestTargets,
  onProgress: (progress: ImportProgress) => void = () => {},
  onNar: NarSink = () => {},
): Promise<IngestedTree> {
  const ingest = new Ingest(targets, onProgress, onNar);
  try {
    for (const step of walk(path)) await ingest.take(step);
    return await ingest.finish();
  } finally {
    await ingest.settle();
  }
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
 * Reads and hashes in the order of the NAR; what has been read becomes durable beside it, children before
 * their directory.
 */
class Ingest {
  readonly #blobs: BlobService;
  readonly #putter: DirectoryPutter;
  readonly #onProgress: (progress: ImportProgress) => void;
  readonly #pending = new TaskPool(PENDING_BLOBS_MAX);
  readonly #hasher = new NarHasher();
  readonly #nar: NarWriter;
  readonly #stack: OpenDirectory[] = [];
  #root: Promise<Node> | undefined;
  #entries = 0;
  #bytes = 0;

  constructor(
    targets: IngestTargets,
    onProgress: (progress: ImportProgress) => void,
    onNar: NarSink,
  ) {
    this.#blobs = targets.blobs;
    this.#putter = targets.directories.startPut();
    this.#onProgress = onProgress;
    this.#nar = new NarWriter((bytes) => {
      this.#hasher.update(bytes);
      onNar(bytes);
    });
  }

  async take(step: WalkStep): Promise<void> {
    await this.#pending.ready();
    if (step.type !== "folder-end" && this.#stack.length > 0) this.#nar.startEntry(step.name);
    switch (step.type) {
      case "folder":
        this.#nar.startDirectory();
        this.#stack.push({ name: step.name, entries: [] });
        break;
      case "folder-end": {
        this.#nar.endDirectory();
        const { name, entries } = this.#stack.pop() as OpenDirectory;
        this.#add(name, this.#storeDirectory(entries));
        break;
      }
      case "symlink":
        this.#nar.symlink(step.target);
        this.#add(step.name, Promise.resolve({ type: "symlink", target: step.target }));
        break;
      case "file": {
        const file = StableFile.openFile(step.location, step.path);
        try {
          await this.#addFile(step.name, file);
        } finally {
          file.close();
        }
      }
    }
  }

  /** Waits until everything is durable. */
  async finish(): Promise<IngestedTree> {
    this.#nar.finish();
    const node = (await this.#root) as Node;
    if (node.type === "directory") await this.#putter.close();
    return { node, ...this.#hasher.finish() };
  }

  /** Waits until nothing is under way any more. */
  async settle(): Promise<void> {
    await this.#pending.settle();
  }

  async #addFile(name: Uint8Array, file: StableFile): Promise<void> {
    const { executable, size } = file;
    this.#nar.startFile(BigInt(size), executable);
    const writer = await this.#blobs.openWrite();
    try {
      await this.#copy(file, writer);
      file.verifyUnchanged();
    } catch (error) {
      await writer[Symbol.asyncDispose]();
      throw error;
    }
    this.#nar.endFile();
    const node = this.#pending.run(async (): Promise<Node> => {
      await using closing = writer;
      const { digest } = await closing.close();
      return { type: "file", digest, size: BigInt(size), executable };
    });
    this.#add(name, node);
  }

  async #copy(file: StableFile, writer: BlobWriter): Promise<void> {
    const piece = Buffer.allocUnsafe(Math.min(file.size, PIECE_BYTES));
    for (let offset = 0; offset < file.size; offset += piece.length) {
      const part = piece.subarray(0, Math.min(piece.length, file.size - offset));
      file.read(part, offset);
      // The writer's disk and our hash work at the same time.
      const written = writer.write(part);
      this.#nar.write(part);
      await written;
      this.#bytes += part.length;
      this.#report();
    }
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
    if (parent === undefined) {
      this.#root = node;
    } else {
      this.#nar.endEntry();
      parent.entries.push({ name, node });
    }
    this.#entries++;
    this.#report();
  }

  #report(): void {
    this.#onProgress({ entries: this.#entries, bytes: this.#bytes });
  }
}
