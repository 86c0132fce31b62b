/**
 * Any part of a NAR, without making what comes before it.
 */
import type { CallOptions } from "../../castore/blob/service.js";
import type { Directory } from "../../castore/directory.js";
import type { DirectoryNode, FileNode, Node } from "../../castore/node.js";
import { readFile } from "./file-content.js";
import {
  CLOSE,
  DIRECTORY,
  ENTRY,
  EXECUTABLE,
  frameLength,
  frameString,
  MAGIC,
  NODE,
  paddingBytes,
  REGULAR,
  SYMLINK,
} from "./framing.js";
import type { RenderServices } from "./render.js";
import { NarSizes } from "./sizes.js";
import { loadDirectory, type Place } from "./walk.js";

const ZEROS = Buffer.alloc(8);
const SMALL_PIECE_BYTES = 64 * 1024;

/** A part of a NAR, in bytes: from `start` up to, not including, `end`. */
export interface NarRange {
  readonly start: number;
  readonly end: number;
}

/**
 * The NAR of one node, to be read from anywhere.
 *
 * Opening reads each different directory of the tree once, and no blobs; what stays in memory is a number for
 * each. A range costs the directories on the way to its start, passing over their entries one by one, and then
 * what it contains. Ranges may be read at the same time.
 */
export class SeekableNar {
  /** Length in bytes. */
  readonly size: number;
  readonly #root: Node;
  readonly #services: RenderServices;
  readonly #sizes: NarSizes;

  private constructor(root: Node, services: RenderServices, sizes: NarSizes, size: number) {
    this.#root = root;
    this.#services = services;
    this.#sizes = sizes;
    this.size = size;
  }

  /** @throws {StoreError} as `NarSizes.measure`. */
  static async open(
    root: Node,
    services: RenderServices,
    options: CallOptions = {},
  ): Promise<SeekableNar> {
    const sizes = new NarSizes(services.directories);
    return new SeekableNar(root, services, sizes, await sizes.measure(root, options));
  }

  /** For how many different directories a number is kept. */
  get directoryCount(): number {
    return this.#sizes.directoryCount;
  }

  /**
   * The bytes of `range`, piece by piece; what lies beyond the end of the NAR is left out. Of a blob that is
   * read in part only the length can be checked.
   *
   * @throws {StoreError} as `renderNar`.
   */
  async *stream(range: NarRange, options: CallOptions = {}): AsyncGenerator<Uint8Array> {
    const start = Math.max(range.start, 0);
    const end = Math.min(range.end, this.size);
    if (start >= end) return;
    const small: Uint8Array[] = [];
    let smallBytes = 0;
    for await (const piece of this.#pieces(start, end, options)) {
      if (piece.length === 0) continue;
      // Keywords and names are a few bytes each.
      if (smallBytes + piece.length <= SMALL_PIECE_BYTES) {
        small.push(piece);
        smallBytes += piece.length;
        continue;
      }
      if (smallBytes > 0) yield Buffer.concat(small.splice(0), smallBytes);
      smallBytes = 0;
      yield piece;
    }
    if (smallBytes > 0) yield Buffer.concat(small, smallBytes);
  }

  async *#pieces(start: number, end: number, options: CallOptions): AsyncGenerator<Uint8Array> {
    const window = new Window(start, end);
    const root: Place = {
      node: this.#root,
      name: ZEROS.subarray(0, 0),
      parent: undefined,
      depth: 0,
    };
    const open: OpenDirectory[] = [];
    yield window.cut(MAGIC.bytes);
    yield* this.#enter(root, window, open, options);
    for (let top = open.at(-1); top !== undefined && !window.isPast; top = open.at(-1)) {
      const { directory, place } = top;
      if (top.next === directory.count) {
        open.pop();
        yield window.cut(CLOSE.bytes);
        if (open.length > 0) yield window.cut(CLOSE.bytes);
        continue;
      }
      const name = directory.name(top.next);
      const node = directory.node(top.next);
      top.next++;
      if (window.skip(this.#sizes.entry(name, node))) continue;
      yield window.cut(ENTRY.bytes);
      yield window.cut(frameString(name));
      yield window.cut(NODE.bytes);
      const child: Place = { node, name, parent: place, depth: open.length };
      const inside = open.length;
      yield* this.#enter(child, window, open, options);
      if (open.length === inside) yield window.cut(CLOSE.bytes);
    }
  }

  /** What comes first of a node; a directory is then open, anything else is over. */
  async *#enter(
    place: Place,
    window: Window,
    open: OpenDirectory[],
    options: CallOptions,
  ): AsyncGenerator<Uint8Array> {
    const { node } = place;
    switch (node.type) {
      case "directory": {
        yield window.cut(DIRECTORY.bytes);
        open.push({ place, directory: await this.#load(place, node, options), next: 0 });
        break;
      }
      case "symlink":
        yield window.cut(SYMLINK.bytes);
        yield window.cut(frameString(node.target));
        yield window.cut(CLOSE.bytes);
        break;
      case "file":
        yield window.cut((node.executable ? EXECUTABLE : REGULAR).bytes);
        yield window.cut(frameLength(node.size));
        yield* this.#contents(place, node, window, options);
        yield window.cut(ZEROS.subarray(0, paddingBytes(node.size)));
        yield window.cut(CLOSE.bytes);
    }
  }

  async *#contents(
    place: Place,
    node: FileNode,
    window: Window,
    options: CallOptions,
  ): AsyncGenerator<Uint8Array> {
    const { offset, length } = window.within(Number(node.size));
    if (length === 0) return;
    yield* readFile(place, node, this.#services.blobs, options, { offset, length });
  }

  #load(place: Place, node: DirectoryNode, options: CallOptions): Promise<Directory> {
    return loadDirectory(node, place, this.#services.directories, options);
  }
}

interface OpenDirectory {
  readonly place: Place;
  readonly directory: Directory;
  next: number;
}

/** Goes along a NAR and lets through what lies in a range. */
class Window {
  readonly #start: number;
  readonly #end: number;
  #position = 0;

  constructor(start: number, end: number) {
    this.#start = start;
    this.#end = end;
  }

  /** Whether everything in the range has been passed. */
  get isPast(): boolean {
    return this.#position >= this.#end;
  }

  /** Passes over `bytes`; the part of them that lies in the range. */
  cut(bytes: Uint8Array): Uint8Array {
    const { offset, length } = this.within(bytes.length);
    return bytes.subarray(offset, offset + length);
  }

  /** Passes over `size` bytes; which part of them lies in the range. */
  within(size: number): { readonly offset: number; readonly length: number } {
    const offset = Math.min(Math.max(this.#start - this.#position, 0), size);
    const end = Math.min(Math.max(this.#end - this.#position, offset), size);
    this.#position += size;
    return { offset, length: end - offset };
  }

  /** Passes over `size` bytes when all of them lie before the range; else stays. */
  skip(size: number): boolean {
    if (this.#position + size > this.#start) return false;
    this.#position += size;
    return true;
  }
}
