/**
 * The messages behind a node, `castore.v1`:
 *
 *   DirectoryNode { 1 name bytes · 2 digest bytes · 3 size u64 }
 *   FileNode      { 1 name bytes · 2 digest bytes · 3 size u64 · 4 executable bool }
 *   SymlinkNode   { 1 name bytes · 2 target bytes }
 *   Node          { oneof: 1 DirectoryNode · 2 FileNode · 3 SymlinkNode }
 */
import { StoreError } from "../base/errors.js";
import { WireReader, WireWriter } from "../base/protobuf.js";
import { B3Digest } from "./digest.js";
import { ENTRY_TYPE, nodeAt, ROW } from "./entry-row.js";
import type { Node } from "./node.js";
import { validateTarget } from "./path-component.js";

const TWO_32 = 0x1_0000_0000;

/** Field numbers of the three kinds, in `Node` and in `Directory` alike. */
export const KIND = { directory: 1, file: 2, symlink: 3 } as const;
export type Kind = 1 | 2 | 3;

export function kindOf(node: Node): Kind {
  return KIND[node.type];
}

/**
 * Notes in `row` (see {@link ROW}) where the parts of the entry message between `start` and `end` lie.
 * The digest length or the target is checked, the name is not.
 *
 * @returns whether the message is written the canonical way.
 * @throws {StoreError} `invalid-argument`.
 */
export function scanEntry(
  bytes: Uint8Array,
  start: number,
  end: number,
  kind: Kind,
  row: Uint32Array,
): boolean {
  const reader = new WireReader(bytes, start, end);
  row.fill(0, 0, ROW.columns);
  let executable = false;
  let lastField = 0;
  while (reader.next()) {
    const field = reader.field;
    if (field <= lastField) reader.canonical = false;
    lastField = field;
    if (field === 1 || field === 2) {
      const length = reader.length();
      if (length === 0) reader.canonical = false;
      const column = field === 1 ? ROW.nameStart : ROW.dataStart;
      row[column] = reader.position;
      reader.position += length;
      row[column + 1] = reader.position;
    } else if (field === 3 && kind !== KIND.symlink) {
      const size = reader.uintOrNumber();
      if (!size) reader.canonical = false;
      if (typeof size === "number") {
        row[ROW.sizeLow] = size % TWO_32;
        row[ROW.sizeHigh] = size / TWO_32;
      } else {
        row[ROW.sizeLow] = Number(size & 0xffff_ffffn);
        row[ROW.sizeHigh] = Number(size >> 32n);
      }
    } else if (field === 4 && kind === KIND.file) {
      const flag = reader.uint();
      if (flag !== 1n) reader.canonical = false;
      executable = flag !== 0n;
    } else {
      reader.skip();
    }
  }
  if (kind === KIND.directory) row[ROW.type] = ENTRY_TYPE.directory;
  else if (kind === KIND.symlink) row[ROW.type] = ENTRY_TYPE.symlink;
  else row[ROW.type] = executable ? ENTRY_TYPE.executable : ENTRY_TYPE.file;

  const data = bytes.subarray(row[ROW.dataStart], row[ROW.dataEnd]);
  if (kind === KIND.symlink) {
    validateTarget(data);
  } else if (data.length !== B3Digest.LENGTH_BYTES) {
    throw new StoreError(
      "invalid-argument",
      `Invalid digest length: ${data.length} bytes, expected ${B3Digest.LENGTH_BYTES}`,
    );
  }
  return reader.canonical;
}

/** The entry message of `node` under `name`: the content of one field of `Directory` or `Node`. */
export function encodeEntry(name: Uint8Array, node: Node): Buffer {
  const writer = new WireWriter(64 + name.length);
  writer.bytes(1, name);
  switch (node.type) {
    case "directory":
      writer.bytes(2, node.digest.bytes);
      writer.uint(3, node.size);
      break;
    case "file":
      writer.bytes(2, node.digest.bytes);
      writer.uint(3, node.size);
      writer.bool(4, node.executable);
      break;
    case "symlink":
      writer.bytes(2, node.target);
      break;
  }
  return writer.finish();
}

/** A `Node` message; `name` may be empty for a node that stands alone. */
export function encodeNode(name: Uint8Array, node: Node): Buffer {
  const writer = new WireWriter();
  writer.bytes(kindOf(node), encodeEntry(name, node), true);
  return writer.finish();
}

/**
 * Reads a `Node` message. The name is returned as it is, unchecked; the node's bytes lie on `bytes`.
 *
 * @returns `undefined` when the message holds no node at all.
 * @throws {StoreError} `invalid-argument` when it does not decode or breaks a rule for nodes.
 */
export function decodeNode(bytes: Uint8Array): { name: Uint8Array; node: Node } | undefined {
  const reader = new WireReader(bytes);
  const row = new Uint32Array(ROW.columns);
  let found = false;
  while (reader.next()) {
    if (reader.field >= KIND.directory && reader.field <= KIND.symlink) {
      const length = reader.length();
      const end = reader.position + length;
      scanEntry(bytes, reader.position, end, reader.field as Kind, row);
      reader.position = end;
      found = true;
    } else {
      reader.skip();
    }
  }
  if (!found) return undefined;
  return {
    name: bytes.subarray(row[ROW.nameStart], row[ROW.nameEnd]),
    node: nodeAt(bytes, row, 0),
  };
}
