/**
 * Whether a tree is what a listing said it was.
 */
import { setImmediate as turn } from "node:timers/promises";
import { compareBytes, equalBytes, quoteBytes } from "../../base/bytes.js";
import type { B3Digest } from "../../castore/digest.js";
import type { DirectoryService } from "../../castore/directory/service.js";
import type { FileNode, Node } from "../../castore/node.js";
import { describePlace, type Place, walkTree } from "../nar/walk.js";
import type { ListedTree } from "./listed-tree.js";

/** Directories of a local store are read without waiting: others get their turn now and then. */
const PLACES_PER_TURN = 1024;

/**
 * The first path at which `root`, whose directories are in `directories`, is not what was `listed`, and what is
 * different about it, for a message; `undefined` when all is the same. `shown` gives the blob that was shown as
 * the content of a listed file, if any was.
 *
 * @throws {StoreError} as `walkTree`.
 */
export async function findDifference(
  listed: ListedTree,
  root: Node,
  directories: Pick<DirectoryService, "get">,
  shown: (file: FileNode) => B3Digest | undefined,
): Promise<string | undefined> {
  const listedPlaces = walkTree(listed.root, {
    get: async (digest) => listed.directories.get(digest.hex),
  });
  let count = 0;
  for await (const place of walkTree(root, directories)) {
    if (++count % PLACES_PER_TURN === 0) await turn();
    const said: Place | undefined = (await listedPlaces.next()).value;
    // All before were the same: so places at the same depth are in the same directory.
    const order = said === undefined ? 1 : orderOf(said, place);
    if (order < 0) return `${describePlace(said as Place)} is listed, but not there`;
    if (order > 0) return `${describePlace(place)} is not listed`;
    const difference = nodeDifference((said as Place).node, place.node, shown);
    if (difference !== undefined) return `${describePlace(place)}: ${difference}`;
  }
  const rest: Place | undefined = (await listedPlaces.next()).value;
  return rest && `${describePlace(rest)} is listed, but not there`;
}

/** Which comes first in a NAR; 0 when they are the same path. Deeper is what still belongs to the entry before. */
function orderOf(a: Place, b: Place): number {
  return b.depth - a.depth || compareBytes(a.name, b.name);
}

function nodeDifference(
  said: Node,
  found: Node,
  shown: (file: FileNode) => B3Digest | undefined,
): string | undefined {
  if (said.type === "file" && found.type === "file") {
    if (said.size !== found.size) {
      return `it is listed with ${said.size} bytes, but has ${found.size}`;
    }
    if (said.executable !== found.executable) {
      return found.executable ? "it is executable" : "it is not executable";
    }
    const blob = shown(said);
    return blob === undefined || blob.equals(found.digest)
      ? undefined
      : "its content is not what was sent for it before";
  }
  if (said.type === "symlink" && found.type === "symlink") {
    if (equalBytes(said.target, found.target)) return undefined;
    return `it is listed with the target ${quoteBytes(said.target)}, but has ${quoteBytes(found.target)}`;
  }
  return said.type === found.type
    ? undefined
    : `it is listed as a ${said.type}, but is a ${found.type}`;
}
