import type {
  Attributes,
  Capacity,
  FileSystem,
  Listing,
} from "../../../src/castore/fs/file-system.js";

declare const brand: unique symbol;
export interface MemoryNode {
  readonly [brand]: true;
}

type Bytes = string | Uint8Array;
export type MemoryEntry = readonly [name: Bytes, node: MemoryNode];

export function directory(entries: readonly MemoryEntry[]): MemoryNode;
export function file(content: Bytes, executable?: boolean): MemoryNode;
export function countingFile(size: number): MemoryNode;
export function symlink(target: Bytes): MemoryNode;
export function brokenFile(fail: () => never): MemoryNode;

export class MemoryFileSystem implements FileSystem {
  constructor(entries: readonly MemoryEntry[], options?: { readonly refuseListing?: () => never });
  addToRoot(name: Bytes, node: MemoryNode): void;
  lookup(parent: number, name: Uint8Array): Attributes | undefined;
  attributes(inode: number): Attributes;
  list(inode: number): Listing;
  readLink(inode: number): Uint8Array;
  read(inode: number, offset: number, target: Uint8Array): number;
  backingFile(inode: number): string | undefined;
  extendedAttributes(inode: number): ReadonlyMap<string, string>;
  capacity(): Capacity;
}
