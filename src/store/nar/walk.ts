/**
 * The nodes of a tree in the order a NAR has them.
 */
import { quoteBytes } from "../../base/bytes.js";
import { StoreError } from "../../base/errors.js";
import type { CallOptions } from "../../castore/blob/service.js";
import type { DirectoryService } from "../../castore/directory/service.js";
import type { Directory } from "../../castore/directory.js";
import type { DirectoryNode, Node } from "../../castore/node.js";

/** How many directories may lie inside each other: twice what a Linux path of 4096 bytes can name. */
export const DEPTH_MAX = 4096;

/** A node and its place in the tree. */
export interface Place {
  readonly node: Node;
  /** Empty for the root. */
  readonly name: Uint8Array;
  /** The directory it lies in. */
  readonly parent: Place | undefined;
  /** How many directories it lies in. */
  readonly depth: number;
}

/** The path of `place` below the root in quotes, for messages. */
export function describePlace(place: Place): string {
  const names: Uint8Array[] = [];
  for (let at: Place = place; at.parent !== undefined; at = at.parent) names.push(at.name);
  return names.length === 0
    ? "the root"
    : quoteBytes(Buffer.concat(names.reverse().flatMap((name) => [SLASH, name])).subarray(1));
}

const SLASH = Buffer.from("/");

/**
 * Yields `root` and everything below it: a directory before its entries, these in byte order of their
 * names. Holds one directory per level, however large the tree.
 *
 * @throws {StoreError} `dangling-reference` when a directory is missing, `limit-exceeded` when there are
 *   more than {@link DEPTH_MAX} inside each other.
 */
export async function* walkTree(
  root: Node,
  directories: Pick<DirectoryService, "get">,
  options: CallOptions = {},
): AsyncGenerator<Place> {
  const open: { place: Place; directory: Directory; next: number }[] = [];
  let place: Place = { node: root, name: new Uint8Array(0), parent: undefined, depth: 0 };
  for (;;) {
    yield place;
    if (place.node.type === "directory") {
      if (open.length === DEPTH_MAX) {
        throw new StoreError(
          "limit-exceeded",
          `Cannot walk a tree with more than ${DEPTH_MAX} directories inside each other`,
        );
      }
      const directory = await loadDirectory(place.node, place, directories, options);
      open.push({ place, directory, next: 0 });
    }
    let level = open.at(-1);
    while (level !== undefined && level.next === level.directory.count) {
      open.pop();
      level = open.at(-1);
    }
    if (level === undefined) return;
    const index = level.next++;
    place = {
      node: level.directory.node(index),
      name: level.directory.name(index),
      parent: level.place,
      depth: open.length,
    };
  }
}

/**
 * The directory of `node`, which lies at `place`.
 *
 * @throws {StoreError} `dangling-reference` when it is missing.
 */
export async function loadDirectory(
  node: DirectoryNode,
  place: Place,
  directories: Pick<DirectoryService, "get">,
  options: CallOptions = {},
): Promise<Directory> {
  const directory = await directories.get(node.digest, options);
  if (directory === undefined) {
    throw new StoreError(
      "dangling-reference",
      `Directory ${node.digest}, ${describePlace(place)}, is missing from the store`,
    );
  }
  return directory;
}
