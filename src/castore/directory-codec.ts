/**
 * Directory messages:
 *
 *   Directory { repeated 1 DirectoryNode · repeated 2 FileNode · repeated 3 SymlinkNode }
 *
 * Rules, checked whoever wrote the bytes: each list strictly ascending by name (byte order), no name in
 * two lists, names and targets as in path-component.ts, digests of 32 bytes, and a total size that fits
 * 64 bits. The canonical encoding has the lists in this order, no default values, no unknown fields.
 */
import { compareBytes, quoteBytes } from "../base/bytes.js";
import { isStoreError, messageOf, StoreError } from "../base/errors.js";
import { WireReader, WireWriter } from "../base/protobuf.js";
import { Directory, type DirectoryEntry } from "./directory.js";
import { ROW } from "./entry-row.js";
import { encodeEntry, KIND, type Kind, kindOf, scanEntry } from "./node-codec.js";
import { validateName } from "./path-component.js";

const U64_MAX = 2n ** 64n - 1n;

/**
 * Decodes and validates one Directory. Bytes that are valid but not canonical are rewritten, so the
 * result's digest may differ from the BLAKE3 of `bytes`. Keeps `bytes` when they are canonical: they must
 * not change afterwards.
 *
 * @throws {StoreError} `invalid-argument`, naming the entry that breaks a rule.
 */
export function decodeDirectory(bytes: Uint8Array): Directory {
  for (const list of lists) list.clear();
  const reader = new WireReader(bytes);
  const row = new Uint32Array(ROW.columns);
  let lastField = 0;
  while (reader.next()) {
    const kind = reader.field;
    if (kind < KIND.directory || kind > KIND.symlink) {
      reader.skip();
      continue;
    }
    if (kind < lastField) reader.canonical = false;
    lastField = kind;
    const length = reader.length();
    const end = reader.position + length;
    const list = lists[(kind - 1) as 0 | 1 | 2];
    readEntry(bytes, reader, end, kind as Kind, row, list);
    reader.position = end;
  }
  const rows = mergeByName(bytes);
  const directory = new Directory(bytes, rows, sumOfSizes(lists[0], rows));
  return reader.canonical ? directory : directoryFrom(directory.entries());
}

/**
 * Makes the Directory of `entries`, given in any order.
 *
 * @throws {StoreError} `invalid-argument`, naming the entry that breaks a rule.
 */
export function directoryFrom(entries: Iterable<DirectoryEntry>): Directory {
  const sorted = [...entries].sort(
    (a, b) => kindOf(a.node) - kindOf(b.node) || compareBytes(a.name, b.name),
  );
  const writer = new WireWriter(64 + sorted.length * 64);
  for (const { name, node } of sorted) {
    writer.bytes(kindOf(node), encodeEntry(name, node), true);
  }
  return decodeDirectory(writer.finish());
}

function readEntry(
  bytes: Uint8Array,
  reader: WireReader,
  end: number,
  kind: Kind,
  row: Uint32Array,
  list: RowList,
): void {
  try {
    if (!scanEntry(bytes, reader.position, end, kind, row)) reader.canonical = false;
    const name = bytes.subarray(row[ROW.nameStart], row[ROW.nameEnd]);
    validateName(name);
    const order = list.compareLast(bytes, name);
    if (order === 0) throw duplicate(name);
    if (order > 0) {
      const previous = list.name(bytes, list.length - 1);
      throw new StoreError(
        "invalid-argument",
        `Wrong sorting: ${quoteBytes(name)} must come before ${quoteBytes(previous)}`,
      );
    }
  } catch (error) {
    if (!isStoreError(error)) throw error;
    const name = bytes.subarray(row[ROW.nameStart], row[ROW.nameEnd]);
    const which = `entry ${list.length} of the ${LIST_NAMES[kind]}, ${quoteBytes(name)}`;
    throw new StoreError(error.code, `Invalid directory: ${which}: ${messageOf(error)}`);
  }
  list.push(row);
}

const LIST_NAMES = { 1: "directories", 2: "files", 3: "symlinks" } as const;

/** A buffer for more rows is not kept. */
const KEPT_ROWS_MAX = 4096;

/** Rows of one list, in a buffer that doubles. */
class RowList {
  rows = new Uint32Array(8 * ROW.columns);
  length = 0;

  clear(): void {
    this.length = 0;
    if (this.rows.length > KEPT_ROWS_MAX * ROW.columns)
      this.rows = new Uint32Array(8 * ROW.columns);
  }

  push(row: Uint32Array): void {
    const base = this.length * ROW.columns;
    if (base === this.rows.length) {
      const grown = new Uint32Array(base * 2);
      grown.set(this.rows);
      this.rows = grown;
    }
    this.rows.set(row, base);
    this.length++;
  }

  /** The order of the last name against `name`; an empty list comes before everything. */
  compareLast(bytes: Uint8Array, name: Uint8Array): number {
    if (this.length === 0) return -1;
    const base = (this.length - 1) * ROW.columns;
    const start = this.rows[base + ROW.nameStart] as number;
    const length = (this.rows[base + ROW.nameEnd] as number) - start;
    const shared = Math.min(length, name.length);
    for (let index = 0; index < shared; index++) {
      const difference = (bytes[start + index] as number) - (name[index] as number);
      if (difference !== 0) return difference;
    }
    return length - name.length;
  }

  name(bytes: Uint8Array, index: number): Uint8Array {
    const base = index * ROW.columns;
    return bytes.subarray(this.rows[base + ROW.nameStart], this.rows[base + ROW.nameEnd]);
  }
}

/**
 * The lists of the directory that is decoded. They are the same ones each time: making buffers takes longer than
 * reading what most directories hold.
 */
const lists = [new RowList(), new RowList(), new RowList()] as const;

function mergeByName(bytes: Uint8Array): Uint32Array {
  const filled = lists.filter((list) => list.length > 0);
  const total = filled.reduce((sum, list) => sum + list.length, 0);
  const only = filled[0];
  if (only === undefined) return new Uint32Array(0);
  if (filled.length === 1) return only.rows.slice(0, total * ROW.columns);

  const merged = new Uint32Array(total * ROW.columns);
  const heads = filled.map((list) => ({ list, index: 0, name: list.name(bytes, 0) }));
  for (let out = 0; out < total; out++) {
    let first = heads[0] as (typeof heads)[number];
    for (const head of heads.slice(1)) {
      const order = compareBytes(head.name, first.name);
      if (order === 0) {
        throw new StoreError(
          "invalid-argument",
          `Invalid directory: ${duplicate(head.name).message}`,
        );
      }
      if (order < 0) first = head;
    }
    const base = first.index * ROW.columns;
    merged.set(first.list.rows.subarray(base, base + ROW.columns), out * ROW.columns);
    first.index++;
    if (first.index < first.list.length) first.name = first.list.name(bytes, first.index);
    else heads.splice(heads.indexOf(first), 1);
  }
  return merged;
}

function sumOfSizes(directories: RowList, rows: Uint32Array): bigint {
  let sum = 0n;
  for (let base = 0; base < directories.length * ROW.columns; base += ROW.columns) {
    const high = directories.rows[base + ROW.sizeHigh] as number;
    sum += (BigInt(high) << 32n) | BigInt(directories.rows[base + ROW.sizeLow] as number);
  }
  if (sum + BigInt(rows.length / ROW.columns) > U64_MAX) {
    throw new StoreError("invalid-argument", "Invalid directory: its total size exceeds 64 bits");
  }
  return sum;
}

function duplicate(name: Uint8Array): StoreError {
  return new StoreError("invalid-argument", `Duplicate name ${quoteBytes(name)}`);
}
