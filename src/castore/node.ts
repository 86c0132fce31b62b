/**
 * Nodes: what a name in a directory, or a store path, stands for. A node has no name of its own.
 */
import type { B3Digest } from "./digest.js";

export type Node = DirectoryNode | FileNode | SymlinkNode;

export interface DirectoryNode {
  readonly type: "directory";
  /** BLAKE3 of the canonical encoding of the {@link Directory}. */
  readonly digest: B3Digest;
  /** How many entries lie below it, at any depth. Two conventions exist: see `Directory.admitsSize`. */
  readonly size: bigint;
}

export interface FileNode {
  readonly type: "file";
  /** BLAKE3 of the content. */
  readonly digest: B3Digest;
  /** Length of the content in bytes. */
  readonly size: bigint;
  readonly executable: boolean;
}

export interface SymlinkNode {
  readonly type: "symlink";
  /** Where it points: raw bytes, never interpreted by the store. */
  readonly target: Uint8Array;
}

export function equalNodes(a: Node, b: Node): boolean {
  switch (a.type) {
    case "directory":
      return b.type === "directory" && a.digest.equals(b.digest) && a.size === b.size;
    case "file":
      return (
        b.type === "file" &&
        a.digest.equals(b.digest) &&
        a.size === b.size &&
        a.executable === b.executable
      );
    case "symlink":
      return b.type === "symlink" && Buffer.compare(a.target, b.target) === 0;
  }
}
