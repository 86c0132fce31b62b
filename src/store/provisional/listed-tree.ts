/**
 * Trees of which only the listing is known, see nar/listing.ts for its form.
 *
 * A listing says all that a NAR consists of but the contents. So where each of them lies follows from it, and how
 * long the NAR is: that is signed, and most listings that are wrong give themselves away by it.
 */
import { compareBytes } from "../../base/bytes.js";
import { StoreError } from "../../base/errors.js";
import type { B3Digest } from "../../castore/digest.js";
import type { Directory } from "../../castore/directory.js";
import { directoryFrom } from "../../castore/directory-codec.js";
import type { Node } from "../../castore/node.js";
import { validateTarget } from "../../castore/path-component.js";
import {
  CLOSE,
  DIRECTORY,
  ENTRY,
  EXECUTABLE,
  framedBytes,
  LENGTH_BYTES,
  MAGIC,
  NODE,
  REGULAR,
  SYMLINK,
} from "../nar/framing.js";
import type { NarPlace } from "./made-up-digest.js";

/** Nix makes no NARs with more than 64 inside each other; what is deeper can be had when it is here. */
const DEPTH_MAX = 256;

export interface ListedTree {
  readonly root: Node;
  /** All directories of the tree, by digest in hex. */
  readonly directories: ReadonlyMap<string, Directory>;
  /** How long its NAR is, in bytes. */
  readonly narSize: number;
}

/**
 * The tree that a listing describes, its files with the digests that `digestOf` makes up.
 *
 * @throws {StoreError} `invalid-argument`, saying what is wrong with the listing.
 */
export function readListing(
  bytes: Uint8Array,
  digestOf: (place: NarPlace) => B3Digest,
): ListedTree {
  let listing: unknown;
  try {
    listing = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch {
    throw malformed("it is no JSON");
  }
  if (!isObject(listing) || listing.version !== 1) throw malformed("its version is not 1");
  const reader = new ListingReader(digestOf);
  const root = reader.node(listing.root, 0);
  return { root, directories: reader.directories, narSize: reader.position };
}

/** What an object of a listing may say. */
interface Fields {
  readonly version?: unknown;
  readonly root?: unknown;
  readonly type?: unknown;
  readonly entries?: unknown;
  readonly size?: unknown;
  readonly executable?: unknown;
  readonly narOffset?: unknown;
  readonly target?: unknown;
}

class ListingReader {
  readonly directories = new Map<string, Directory>();
  /** In the NAR. */
  position = MAGIC.bytes.length;
  readonly #digestOf: (place: NarPlace) => B3Digest;

  constructor(digestOf: (place: NarPlace) => B3Digest) {
    this.#digestOf = digestOf;
  }

  node(entry: unknown, depth: number): Node {
    if (!isObject(entry)) throw malformed("an entry is no object");
    const node = this.#content(entry, depth);
    this.position += CLOSE.bytes.length;
    return node;
  }

  #content(entry: Fields, depth: number): Node {
    switch (entry.type) {
      case "directory":
        return this.#directory(entry, depth);
      case "regular":
        return this.#file(entry);
      case "symlink":
        return this.#symlink(entry);
      default:
        throw malformed("an entry is neither directory, regular nor symlink");
    }
  }

  #directory({ entries }: Fields, depth: number): Node {
    if (!isObject(entries)) throw malformed("a directory has no entries");
    if (depth === DEPTH_MAX) {
      throw malformed(`more than ${DEPTH_MAX} directories lie inside each other`);
    }
    this.position += DIRECTORY.bytes.length;
    // As they follow each other in the NAR.
    const sorted = Object.entries(entries)
      .map(([name, child]) => ({ name: Buffer.from(name), child }))
      .sort((a, b) => compareBytes(a.name, b.name));
    const children: { name: Uint8Array; node: Node }[] = [];
    for (const { name, child } of sorted) {
      this.position += ENTRY.bytes.length + framedBytes(name.length) + NODE.bytes.length;
      children.push({ name, node: this.node(child, depth + 1) });
      this.position += CLOSE.bytes.length;
    }
    const directory = directoryFrom(children);
    this.directories.set(directory.digest.hex, directory);
    return { type: "directory", digest: directory.digest, size: directory.size };
  }

  #file({ size, executable = false, narOffset }: Fields): Node {
    if (!isCount(size) || typeof executable !== "boolean") {
      throw malformed("a file has no size, or is executable in its own way");
    }
    const start = (executable ? EXECUTABLE : REGULAR).bytes.length + LENGTH_BYTES;
    const offset = this.position + start;
    if (narOffset !== undefined && narOffset !== offset) {
      throw malformed(`a file that is said to lie elsewhere has to start at byte ${offset}`);
    }
    this.position = offset - LENGTH_BYTES + framedBytes(size);
    if (!Number.isSafeInteger(this.position)) throw malformed("its NAR has more than 2^53 bytes");
    return {
      type: "file",
      digest: this.#digestOf({ offset, size }),
      size: BigInt(size),
      executable,
    };
  }

  #symlink({ target }: Fields): Node {
    if (typeof target !== "string") throw malformed("a symlink has no target");
    const bytes = Buffer.from(target);
    validateTarget(bytes);
    this.position += SYMLINK.bytes.length + framedBytes(bytes.length);
    return { type: "symlink", target: bytes };
  }
}

function isObject(value: unknown): value is Fields {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

function malformed(why: string): StoreError {
  return new StoreError("invalid-argument", `Malformed listing: ${why}`);
}
