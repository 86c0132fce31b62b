/**
 * Walking a tree on disk in the order of its NAR.
 */
import { type Dirent, lstatSync, readdirSync, readlinkSync } from "node:fs";
import { compareBytes } from "../../base/bytes.js";
import { StoreError } from "../../base/errors.js";
import { type FileKind, StableFile, typeOf } from "./stable-file.js";
import { treeError, unsupportedType } from "./tree-error.js";

/** Deeper trees cannot be told from an attack; nothing real comes near. */
export const DEPTH_MAX = 4096;

/**
 * One step of the walk. `name` is that of the entry in its folder, empty for the root; `path` is for
 * messages, `location` for opening until the next step is taken.
 */
export type WalkStep =
  | { readonly type: "folder"; readonly name: Uint8Array }
  /** Everything below the folder opened last has been walked. */
  | { readonly type: "folder-end" }
  | {
      readonly type: "file";
      readonly name: Uint8Array;
      readonly path: Uint8Array;
      readonly location: Uint8Array;
    }
  | { readonly type: "symlink"; readonly name: Uint8Array; readonly target: Uint8Array };

interface OpenFolder {
  readonly folder: StableFile;
  readonly entries: readonly Dirent<Buffer>[];
  next: number;
}

/**
 * Walks the tree at `root`, which is not followed when it is a symlink. Siblings come in byte order of
 * their names. A folder stays open until its end, so that what is below it is found whatever happens to
 * the names above, and is then checked to have stayed the same.
 *
 * @throws {StoreError} naming the path that cannot be read, changed, or is of an unsupported kind.
 */
export function* walk(root: Uint8Array): Generator<WalkStep> {
  const stack: OpenFolder[] = [];
  try {
    yield step(kindAt(root, root), new Uint8Array(0), root, root, stack);
    for (let top = stack.at(-1); top !== undefined; top = stack.at(-1)) {
      const { folder } = top;
      const entry = top.entries[top.next++];
      if (entry === undefined) {
        folder.verifyUnchanged();
        yield { type: "folder-end" };
        stack.pop();
        folder.close();
      } else {
        const { name } = entry;
        yield step(entry, name, joinPath(folder.path, name), folder.locate(name), stack);
      }
    }
  } finally {
    for (const { folder } of stack) folder.close();
  }
}

function step(
  kind: FileKind,
  name: Uint8Array,
  path: Uint8Array,
  location: Uint8Array,
  stack: OpenFolder[],
): WalkStep {
  if (kind.isFile()) return { type: "file", name, path, location };
  if (kind.isDirectory()) {
    if (stack.length >= DEPTH_MAX) {
      const limit = `folders are nested more than ${DEPTH_MAX} deep`;
      throw treeError(path, new StoreError("limit-exceeded", limit));
    }
    stack.push(openFolder(path, location));
    return { type: "folder", name };
  }
  if (kind.isSymbolicLink()) return { type: "symlink", name, target: targetAt(location, path) };
  // Some file systems do not tell the kind of an entry when listing.
  const known = kindAt(location, path);
  if (known.isFile() || known.isDirectory() || known.isSymbolicLink()) {
    return step(known, name, path, location, stack);
  }
  throw unsupportedType(path, typeOf(known));
}

function openFolder(path: Uint8Array, location: Uint8Array): OpenFolder {
  const folder = StableFile.openFolder(location, path);
  try {
    const entries = readdirSync(folder.locate(new Uint8Array(0)), {
      encoding: "buffer",
      withFileTypes: true,
    });
    entries.sort((a, b) => compareBytes(a.name, b.name));
    return { folder, entries, next: 0 };
  } catch (error) {
    folder.close();
    throw treeError(path, error);
  }
}

function kindAt(location: Uint8Array, path: Uint8Array): FileKind {
  try {
    return lstatSync(location as Buffer);
  } catch (error) {
    throw treeError(path, error);
  }
}

function targetAt(location: Uint8Array, path: Uint8Array): Buffer {
  try {
    return readlinkSync(location as Buffer, "buffer");
  } catch (error) {
    throw treeError(path, error);
  }
}

function joinPath(folder: Uint8Array, name: Uint8Array): Buffer {
  const slash = folder.at(-1) === 0x2f ? "" : "/";
  return Buffer.concat([folder, Buffer.from(slash), name]);
}
