/**
 * The file system that serve-fake.mjs serves. Each thread that serves it builds its own; what changes
 * meanwhile lies in memory they share.
 */
import { StoreError } from "../../../build/base/errors.js";
import { Miss } from "../../../build/castore/fs/file-system.js";
import {
  brokenFile,
  countingFile,
  directory,
  file,
  MemoryFileSystem,
  symlink,
} from "./memory-file-system.mjs";

const ROOT_INODE = 1;
const PIECES = 16;
const NAMES_AT = 4 * (1 + PIECES);

/** Names that were added to the root, and which remote pieces are here. */
export class FakeState {
  /** To be given to the constructor in another thread. */
  memory;
  #words;
  #bytes;

  constructor(memory = new SharedArrayBuffer(65_536)) {
    this.memory = memory;
    this.#words = new Int32Array(memory, 0, 1 + PIECES);
    this.#bytes = new Uint8Array(memory, NAMES_AT);
  }

  /** Adds a name; from one thread only. */
  add(name) {
    const length = Atomics.load(this.#words, 0);
    const added = Buffer.from(`${name}\n`);
    this.#bytes.set(added, length);
    Atomics.store(this.#words, 0, length + added.length);
  }

  names() {
    const bytes = Uint8Array.from(this.#bytes.subarray(0, Atomics.load(this.#words, 0)));
    return Buffer.from(bytes).toString().split("\n").slice(0, -1);
  }

  bring(piece) {
    Atomics.store(this.#words, 1 + piece, 1);
  }

  isHere(piece) {
    return Atomics.load(this.#words, 1 + piece) === 1;
  }
}

/** Grows as names are added to `state`. */
class GrowingFileSystem extends MemoryFileSystem {
  #state;
  #seen = 0;

  constructor(entries, options, state) {
    super(entries, options);
    this.#state = state;
  }

  lookup(parent, name) {
    this.#catchUp();
    return super.lookup(parent, name);
  }

  attributes(inode) {
    this.#catchUp();
    const attributes = super.attributes(inode);
    return inode === ROOT_INODE ? { ...attributes, mtimeMs: 1000 + this.#seen } : attributes;
  }

  list(inode) {
    this.#catchUp();
    return super.list(inode);
  }

  // The thread that found the name may be another one.
  read(inode, offset, target) {
    this.#catchUp();
    return super.read(inode, offset, target);
  }

  #catchUp() {
    for (const name of this.#state.names().slice(this.#seen)) {
      this.addToRoot(name, file(`${name}\n`));
      this.#seen++;
    }
  }
}

function throwing(code, message) {
  return () => {
    throw new StoreError(code, message);
  };
}

function deep(levels, node) {
  return levels === 0 ? node : directory([["d".repeat(200), deep(levels - 1, node)]]);
}

/** `node`, whose `parts` can be had once all `pieces` are here. */
function remote(node, parts, pieces, state, building) {
  const need = () => {
    for (const piece of building.done ? pieces : []) {
      if (!state.isHere(piece)) throw new Miss({ piece });
    }
  };
  const guarded = { ...node, size: node.size ?? node.target?.length ?? node.entries.length };
  for (const part of parts) {
    Object.defineProperty(guarded, part, {
      get: () => {
        need();
        return node[part];
      },
    });
  }
  return guarded;
}

export function fakeFileSystem({ listRoot, memory }) {
  const state = new FakeState(memory);
  const building = { done: false };
  const remoteFile = (content, ...pieces) =>
    remote(file(content), ["read"], pieces, state, building);
  const fileSystem = new GrowingFileSystem(
    [
      ["hello", file("hello\n")],
      ["script", file("#!/bin/sh\necho ran\n", true)],
      ["empty", directory([])],
      ["dir", directory([["file with space\n and newline", file("inside\n")]])],
      ["link", symlink("dir/file with space\n and newline")],
      ["dangling", symlink("nowhere")],
      ["long-link", symlink("x".repeat(4095))],
      ["name-255", directory([["n".repeat(255), file("long\n")]])],
      ["many", directory(Array.from({ length: 10_000 }, (_, n) => [`entry-${n}`, file(`${n}\n`)]))],
      ["big", countingFile(5 * 2 ** 30)],
      ["deep", deep(30, directory([["bottom", file("bottom\n")]]))],
      [
        "broken",
        directory([
          [
            "hole",
            brokenFile(throwing("dangling-reference", "Cannot read blob b3:feed: it is gone")),
          ],
          [
            "bug",
            brokenFile(() => {
              throw new TypeError("a bug");
            }),
          ],
        ]),
      ],
      [
        "bytes",
        directory([
          [Buffer.from([0xff]), file("ff\n")],
          [Buffer.from([0xfe]), file("fe\n")],
          ["\ufffd", file("replacement\n")],
          ["gr\u00fcn", file("utf-8\n")],
          ["bad-link", symlink(Buffer.from([0x61, 0xff]))],
        ]),
      ],
      [
        "remote",
        directory([
          ["file", remoteFile("fetched\n", 0)],
          ["twice", remoteFile("both\n", 1, 2)],
          [
            "folder",
            remote(
              directory([["inside", file("inside\n")]]),
              ["entries", "byName"],
              [3],
              state,
              building,
            ),
          ],
          ["link", remote(symlink("file"), ["target"], [4], state, building)],
          ["failing", remoteFile("at last\n", 5)],
          [
            "unspeakable",
            brokenFile(() => {
              throw new Miss(() => "what no other thread can be told");
            }),
          ],
          ["stuck", remoteFile("never\n", 6)],
          ["stuck-folder", remote(directory([]), ["entries", "byName"], [7], state, building)],
        ]),
      ],
    ],
    listRoot ? {} : { refuseListing: throwing("permission-denied", "Cannot list the root") },
    state,
  );
  building.done = true;
  return fileSystem;
}
