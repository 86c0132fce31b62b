/**
 * From a tree on disk to a node in the castore, in one pass: every byte is read once and feeds the blob
 * and the NAR hash together.
 */
import { setImmediate as turn } from "node:timers/promises";
import { type BlobWriter, SMALL_BYTES_MAX } from "../../castore/blob/service.js";
import { type TreeSink, TreeUpload } from "../../castore/tree-upload.js";
import { NarHasher } from "../nar/hasher.js";
import type { IngestedTree } from "../nar/ingest.js";
import { type NarSink, NarWriter } from "../nar/writer.js";
import { StableFile } from "./stable-file.js";
import { type WalkStep, walk } from "./walk.js";

const PIECE_BYTES = 1024 * 1024;
/**
 * Small files are read and hashed without waiting for anything. Without a turn of the event loop now and then
 * nobody could interrupt an import, and native memory would be freed only after it.
 */
const STEPS_PER_TURN = 32;

/** Counts up while an import runs. */
export interface ImportProgress {
  /** Files, folders and symlinks that are done. */
  readonly entries: number;
  /** Bytes of file contents. */
  readonly bytes: number;
}

/**
 * Stores the tree at `path`. When it resolves, all of it is as durable as the targets make it. `onNar` is given the
 * NAR as it passes.
 *
 * @throws {StoreError} naming the path that could not be read, is of an unsupported kind, or changed.
 */
export async function ingestTree(
  path: Uint8Array,
  targets: TreeSink,
  onProgress: (progress: ImportProgress) => void = () => {},
  onNar: NarSink = () => {},
): Promise<IngestedTree> {
  const ingest = new Ingest(targets, onProgress, onNar);
  try {
    let steps = 0;
    for (const step of walk(path)) {
      if (++steps % STEPS_PER_TURN === 0) await turn();
      await ingest.take(step);
    }
    return await ingest.finish();
  } finally {
    await ingest.settle();
  }
}

/**
 * Reads and hashes in the order of the NAR; what has been read becomes durable beside it.
 */
class Ingest {
  readonly #tree: TreeUpload;
  readonly #onProgress: (progress: ImportProgress) => void;
  readonly #hasher = new NarHasher();
  readonly #nar: NarWriter;
  readonly #small = Buffer.allocUnsafe(SMALL_BYTES_MAX);
  #entries = 0;
  #bytes = 0;

  constructor(targets: TreeSink, onProgress: (progress: ImportProgress) => void, onNar: NarSink) {
    this.#tree = new TreeUpload(targets);
    this.#onProgress = onProgress;
    this.#nar = new NarWriter((bytes) => {
      this.#hasher.update(bytes);
      onNar(bytes);
    });
  }

  async take(step: WalkStep): Promise<void> {
    await this.#tree.ready();
    if (step.type !== "folder-end" && this.#tree.isInside) this.#nar.startEntry(step.name);
    switch (step.type) {
      case "folder":
        this.#nar.startDirectory();
        this.#tree.startDirectory(step.name);
        return;
      case "folder-end":
        this.#nar.endDirectory();
        this.#tree.endDirectory();
        break;
      case "symlink":
        this.#nar.symlink(step.target);
        this.#tree.symlink(step.name, step.target);
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
    if (this.#tree.isInside) this.#nar.endEntry();
    this.#entries++;
    this.#report();
  }

  /** Waits until everything is durable. */
  async finish(): Promise<IngestedTree> {
    this.#nar.finish();
    const node = await this.#tree.finish();
    return { node, ...this.#hasher.finish() };
  }

  /** Waits until nothing is under way any more. */
  async settle(): Promise<void> {
    await this.#tree.settle();
  }

  async #addFile(name: Uint8Array, file: StableFile): Promise<void> {
    this.#nar.startFile(BigInt(file.size), file.executable);
    if (this.#tree.takesSmallFiles && file.size <= SMALL_BYTES_MAX) {
      this.#addSmall(name, file);
    } else {
      await this.#tree.file(name, file.executable, async (writer) => {
        await this.#copy(file, writer);
        file.verifyUnchanged();
      });
    }
    this.#nar.endFile();
  }

  #addSmall(name: Uint8Array, file: StableFile): void {
    const content = this.#small.subarray(0, file.size);
    if (file.size > 0) file.read(content, 0);
    file.verifyUnchanged();
    this.#nar.write(content);
    this.#tree.smallFile(name, file.executable, content);
    this.#bytes += file.size;
    this.#report();
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

  #report(): void {
    this.#onProgress({ entries: this.#entries, bytes: this.#bytes });
  }
}
