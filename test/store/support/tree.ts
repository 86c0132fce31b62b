/**
 * Small trees as plain values, and the ways to get them into a store, a folder, and a NAR.
 */
import { chmodSync, mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import fc from "fast-check";
import { decodeUtf8 } from "../../../src/base/bytes.js";
import { MemoryBlobService } from "../../../src/castore/blob/memory.js";
import { type BlobService, putBlob } from "../../../src/castore/blob/service.js";
import { MemoryDirectoryService } from "../../../src/castore/directory/memory.js";
import type { DirectoryService } from "../../../src/castore/directory/service.js";
import type { DirectoryEntry } from "../../../src/castore/directory.js";
import { directoryFrom } from "../../../src/castore/directory-codec.js";
import type { Node } from "../../../src/castore/node.js";
import type { NarWriter } from "../../../src/store/nar/writer.js";

export type Tree =
  | { type: "file"; content: Uint8Array; executable: boolean }
  | { type: "symlink"; target: Uint8Array }
  | { type: "directory"; entries: [name: Uint8Array, tree: Tree][] };

export function file(content: string | Uint8Array, executable = false): Tree {
  return { type: "file", content: Buffer.from(content), executable };
}

export function symlink(target: string): Tree {
  return { type: "symlink", target: Buffer.from(target) };
}

export function directory(entries: Record<string, Tree>): Tree {
  return {
    type: "directory",
    entries: Object.entries(entries).map(([name, tree]) => [Buffer.from(name), tree]),
  };
}

export interface MemoryServices {
  readonly blobs: MemoryBlobService;
  readonly directories: MemoryDirectoryService;
}

export function memoryServices(): MemoryServices {
  return { blobs: new MemoryBlobService(), directories: new MemoryDirectoryService() };
}

export async function storeTree(
  tree: Tree,
  services: { readonly blobs: BlobService; readonly directories: DirectoryService },
): Promise<Node> {
  switch (tree.type) {
    case "file": {
      const { digest, size } = await putBlob(services.blobs, tree.content);
      return { type: "file", digest, size: BigInt(size), executable: tree.executable };
    }
    case "symlink":
      return tree;
    case "directory": {
      const entries: DirectoryEntry[] = [];
      for (const [name, child] of tree.entries) {
        entries.push({ name, node: await storeTree(child, services) });
      }
      const stored = directoryFrom(entries);
      await services.directories.put(stored);
      return { type: "directory", digest: stored.digest, size: stored.size };
    }
  }
}

export function writeTreeToDisk(tree: Tree, path: Buffer): void {
  switch (tree.type) {
    case "file":
      writeFileSync(path, tree.content);
      chmodSync(path, tree.executable ? 0o755 : 0o644);
      break;
    case "symlink":
      symlinkSync(Buffer.from(tree.target), path);
      break;
    case "directory":
      mkdirSync(path);
      for (const [name, child] of tree.entries) {
        writeTreeToDisk(child, Buffer.concat([path, Buffer.from("/"), name]));
      }
  }
}

/** Writes `tree`, its files in pieces of `pieceBytes`; however deep it is. */
export function writeTreeAsNar(tree: Tree, writer: NarWriter, pieceBytes = 1 << 20): void {
  const steps: (() => void)[] = [() => write(tree)];
  const write = (node: Tree): void => {
    switch (node.type) {
      case "file":
        writer.startFile(BigInt(node.content.length), node.executable);
        for (let offset = 0; offset < node.content.length; offset += pieceBytes) {
          writer.write(node.content.subarray(offset, offset + pieceBytes));
        }
        writer.endFile();
        break;
      case "symlink":
        writer.symlink(node.target);
        break;
      case "directory":
        writer.startDirectory();
        steps.push(() => writer.endDirectory());
        for (const [name, child] of node.entries.toSorted((a, b) => Buffer.compare(b[0], a[0]))) {
          steps.push(() => {
            writer.startEntry(name);
            steps.push(() => writer.endEntry());
            write(child);
          });
        }
    }
  };
  for (let step = steps.pop(); step !== undefined; step = steps.pop()) step();
}

/** Whether all names and targets are text, so that a listing can tell them. */
export function isText(tree: Tree): boolean {
  if (tree.type === "symlink") return decodeUtf8(tree.target) !== undefined;
  if (tree.type === "file") return true;
  return tree.entries.every(([name, child]) => decodeUtf8(name) !== undefined && isText(child));
}

const safeByte = fc.nat({ max: 255 }).filter((byte) => byte !== 0 && byte !== 0x2f);

/** Names as the kernel allows them, mostly short and often alike; now and then not UTF-8. */
const nameArbitrary = fc
  .oneof(
    fc.string({ unit: fc.constantFrom("a", "b", ".", "-", " ", "é"), minLength: 1, maxLength: 4 }),
    fc.array(safeByte, { minLength: 1, maxLength: 20 }).map((list) => Buffer.from(list)),
  )
  .map((name) => Buffer.from(name))
  .filter((name) => ![".", ".."].includes(name.toString("latin1")));

const leafArbitrary: fc.Arbitrary<Tree> = fc.oneof(
  fc.record({
    type: fc.constant("file" as const),
    content: fc.uint8Array({ maxLength: 40 }),
    executable: fc.boolean(),
  }),
  fc.record({
    type: fc.constant("symlink" as const),
    target: fc.array(safeByte, { minLength: 1, maxLength: 30 }).map((list) => Buffer.from(list)),
  }),
);

export const treeArbitrary: fc.Arbitrary<Tree> = fc.letrec<{ tree: Tree; folder: Tree }>((tie) => ({
  tree: fc.oneof({ maxDepth: 4 }, leafArbitrary, tie("folder")),
  folder: fc.record({
    type: fc.constant("directory" as const),
    entries: fc.uniqueArray(fc.tuple(nameArbitrary, tie("tree")), {
      maxLength: 6,
      selector: ([name]) => name.toString("hex"),
    }) as fc.Arbitrary<[Uint8Array, Tree][]>,
  }),
})).tree;
