/**
 * Copying what one node stands for from store to store.
 */
import { mapOrdered } from "../../base/concurrency.js";
import { StoreError } from "../../base/errors.js";
import type { CallOptions } from "../../castore/blob/service.js";
import type { B3Digest } from "../../castore/digest.js";
import type { Directory } from "../../castore/directory.js";
import type { FileNode, Node } from "../../castore/node.js";
import type { TreeTargets } from "../../castore/tree-upload.js";
import type { RenderServices } from "../nar/render.js";
import type { BlobCopier } from "./blob-copier.js";
import type { Moved } from "./target.js";

/** Blobs of one path under way at once, to share commits and to hide the way to a server; more gain nothing. */
const BLOBS_MAX = 256;

export interface CopyTreeOptions {
  /** Shared by trees that are copied at the same time. */
  readonly copier: BlobCopier;
  readonly signal: AbortSignal;
  readonly onBytes: (count: number) => void;
}

/**
 * Makes `node` complete in `to`. Blobs that are there are not read; each of the others is read once and checked
 * against its digest. Directories go after all blobs, children before parents: no directory of a tree is ever
 * in a store before its content. Those of one tree are held in memory meanwhile.
 *
 * @throws {StoreError} `dangling-reference` when `from` lacks some of it, `corrupt` when it has other bytes.
 */
export async function copyTree(
  node: Node,
  from: RenderServices,
  to: TreeTargets,
  { copier, signal, onBytes }: CopyTreeOptions,
): Promise<Moved> {
  const directories =
    node.type === "directory" ? await loadClosure(node.digest, from, { signal }) : [];
  const files = node.type === "file" ? [node] : filesOf(directories);
  let blobs = 0;
  let bytes = 0;
  const copied = mapOrdered(files, BLOBS_MAX, async (file) => {
    signal.throwIfAborted();
    const ends = { from: from.blobs, to: to.blobs };
    if (!(await copier.copy(file, ends, { signal }, onBytes))) return;
    blobs++;
    bytes += Number(file.size);
  });
  for await (const _ of copied);
  if (directories.length > 0) {
    await using putter = to.directories.startPut({ signal });
    for (const directory of directories) await putter.put(directory);
    await putter.close();
  }
  return { blobs, bytes };
}

/** Every different blob once. */
function* filesOf(directories: readonly Directory[]): Generator<FileNode> {
  const seen = new Set<string>();
  for (const directory of directories) {
    for (let index = 0; index < directory.count; index++) {
      if (directory.type(index) !== "file") continue;
      const node = directory.node(index);
      if (node.type !== "file" || seen.has(node.digest.hex)) continue;
      seen.add(node.digest.hex);
      yield node;
    }
  }
}

/** The directory `root` and all below it, each once and after those it refers to. */
async function loadClosure(
  root: B3Digest,
  { directories }: RenderServices,
  options: CallOptions,
): Promise<Directory[]> {
  // In one answer, from the root down: asking for each would cost a way to the server each.
  const found = new Map<string, Directory>();
  for await (const directory of directories.getRecursive(root, options)) {
    found.set(directory.digest.hex, directory);
  }
  const top = found.get(root.hex);
  if (top === undefined) {
    throw new StoreError("dangling-reference", `Directory ${root} is missing from the source`);
  }
  const ordered: Directory[] = [];
  const stack = [{ directory: top, next: 0 }];
  found.delete(root.hex);
  for (let open = stack.at(-1); open !== undefined; open = stack.at(-1)) {
    const { directory } = open;
    const index = open.next++;
    if (index === directory.count) {
      stack.pop();
      ordered.push(directory);
      continue;
    }
    if (directory.type(index) !== "directory") continue;
    const child = directory.node(index);
    const below = child.type === "directory" ? found.get(child.digest.hex) : undefined;
    if (below === undefined) continue; // It has had its turn.
    found.delete(below.digest.hex);
    stack.push({ directory: below, next: 0 });
  }
  return ordered;
}
