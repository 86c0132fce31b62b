/**
 * How long the NAR of a node is, without rendering it: names, targets and sizes say so.
 */
import { StoreError } from "../../base/errors.js";
import type { CallOptions } from "../../castore/blob/service.js";
import type { B3Digest } from "../../castore/digest.js";
import type { DirectoryService } from "../../castore/directory/service.js";
import type { Directory } from "../../castore/directory.js";
import type { DirectoryNode, Node } from "../../castore/node.js";
import {
  CLOSE,
  DIRECTORY,
  ENTRY,
  EXECUTABLE,
  framedBytes,
  MAGIC,
  NODE,
  REGULAR,
  SYMLINK,
} from "./framing.js";
import { DEPTH_MAX, loadDirectory, type Place } from "./walk.js";

const NAMELESS = new Uint8Array(0);
const ENTRY_FRAME_BYTES = ENTRY.bytes.length + NODE.bytes.length + CLOSE.bytes.length;

/** A directory whose children are being measured. */
interface Level {
  readonly place: Place;
  readonly digest: B3Digest;
  readonly directory: Directory;
  next: number;
}

/**
 * Lengths of the parts of a NAR, in bytes. Each different directory below a node that was measured is read
 * once, and a number is kept for it: about 100 bytes of memory for each.
 */
export class NarSizes {
  readonly #directories: DirectoryService;
  readonly #known = new Map<string, number>();

  constructor(directories: DirectoryService) {
    this.#directories = directories;
  }

  get directoryCount(): number {
    return this.#known.size;
  }

  /**
   * Measures the NAR of `root`.
   *
   * @throws {StoreError} `dangling-reference` when a directory is missing, `limit-exceeded` when there are
   *   too many inside each other or the NAR has more than 2^53 bytes.
   */
  async measure(root: Node, options: CallOptions = {}): Promise<number> {
    if (root.type === "directory") await this.#measureDirectories(root, options);
    return checked(MAGIC.bytes.length + this.node(root));
  }

  /** The length of a node that lies in one that was measured. */
  node(node: Node): number {
    switch (node.type) {
      case "directory":
        return this.#known.get(node.digest.hex) as number;
      case "symlink":
        return SYMLINK.bytes.length + framedBytes(node.target.length) + CLOSE.bytes.length;
      case "file": {
        const start = node.executable ? EXECUTABLE : REGULAR;
        return start.bytes.length + framedBytes(fileSize(node.size)) + CLOSE.bytes.length;
      }
    }
  }

  /** The length of an entry that lies in a directory that was measured. */
  entry(name: Uint8Array, node: Node): number {
    return ENTRY_FRAME_BYTES + framedBytes(name.length) + this.node(node);
  }

  /** Measures children before their parents, each once. */
  async #measureDirectories(root: DirectoryNode, options: CallOptions): Promise<void> {
    if (this.#known.has(root.digest.hex)) return;
    const open = async (node: DirectoryNode, place: Place): Promise<Level> => {
      const directory = await loadDirectory(node, place, this.#directories, options);
      return { place, digest: node.digest, directory, next: 0 };
    };
    const stack = [await open(root, { node: root, name: NAMELESS, parent: undefined, depth: 0 })];
    for (let top = stack.at(-1); top !== undefined; top = stack.at(-1)) {
      const node = this.#nextUnknown(top);
      if (node === undefined) {
        this.#known.set(top.digest.hex, this.#directoryBytes(top.directory));
        stack.pop();
        continue;
      }
      if (stack.length === DEPTH_MAX) {
        throw new StoreError(
          "limit-exceeded",
          `Cannot measure a tree with more than ${DEPTH_MAX} directories inside each other`,
        );
      }
      const name = top.directory.name(top.next);
      stack.push(await open(node, { node, name, parent: top.place, depth: stack.length }));
    }
  }

  #nextUnknown(level: Level): DirectoryNode | undefined {
    const { directory } = level;
    for (; level.next < directory.count; level.next++) {
      if (directory.type(level.next) !== "directory") continue;
      const node = directory.node(level.next);
      if (node.type === "directory" && !this.#known.has(node.digest.hex)) return node;
    }
    return undefined;
  }

  #directoryBytes(directory: Directory): number {
    let bytes = DIRECTORY.bytes.length + CLOSE.bytes.length;
    for (const { name, node } of directory.entries()) bytes += this.entry(name, node);
    return checked(bytes);
  }
}

function fileSize(size: bigint): number {
  return size > BigInt(Number.MAX_SAFE_INTEGER) ? Number.POSITIVE_INFINITY : Number(size);
}

function checked(bytes: number): number {
  if (bytes <= Number.MAX_SAFE_INTEGER) return bytes;
  throw new StoreError("limit-exceeded", "A NAR with more than 2^53 bytes cannot be read in parts");
}
