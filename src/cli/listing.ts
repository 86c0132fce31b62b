/**
 * Listings of what is in a tree, for people and as `nix store ls --json` prints them.
 */
import { decodeUtf8, quoteBytes } from "../base/bytes.js";
import { displayName, printLine } from "./output.js";

/** What a listing tells of an entry; a node is one, and so is an item of a NAR. */
export type ListedEntry =
  | { readonly type: "directory" }
  | { readonly type: "symlink"; readonly target: Uint8Array }
  | { readonly type: "file"; readonly size: bigint | number; readonly executable: boolean };

/** One line on stdout: the path, with `long` what it is too. */
export async function printEntry(
  path: Uint8Array,
  entry: ListedEntry,
  long: boolean,
): Promise<void> {
  if (!long) return await printLine(displayName(path));
  const parts = [
    Buffer.from(`${modeText(entry)} ${sizeText(entry)} `),
    Buffer.from(displayName(path)),
  ];
  if (entry.type === "symlink") {
    parts.push(Buffer.from(" -> "), Buffer.from(displayName(entry.target)));
  }
  await printLine(Buffer.concat(parts));
}

export interface JsonEntry {
  readonly type: "regular" | "directory" | "symlink";
  readonly size?: bigint | number;
  readonly executable?: true;
  readonly target?: string;
  /** Where in a NAR the contents start. */
  readonly narOffset?: number;
  entries?: Record<string, JsonEntry>;
}

export function jsonEntry(entry: ListedEntry): JsonEntry {
  switch (entry.type) {
    case "directory":
      return { type: "directory" };
    case "symlink":
      return { type: "symlink", target: jsonText(entry.target) };
    case "file":
      return entry.executable
        ? { type: "regular", size: entry.size, executable: true }
        : { type: "regular", size: entry.size };
  }
}

/** For the entries of a folder: each name is a key of its own, `__proto__` too. */
export function noEntries(): Record<string, JsonEntry> {
  return Object.create(null) as Record<string, JsonEntry>;
}

/** JSON has no bytes: what is not UTF-8 appears quoted, as in messages. */
export function jsonText(name: Uint8Array): string {
  return decodeUtf8(name) ?? quoteBytes(name);
}

function modeText(entry: ListedEntry): string {
  switch (entry.type) {
    case "directory":
      return "dr-xr-xr-x";
    case "symlink":
      return "lrwxrwxrwx";
    case "file":
      return entry.executable ? "-r-xr-xr-x" : "-r--r--r--";
  }
}

function sizeText(entry: ListedEntry): string {
  return String(entry.type === "file" ? entry.size : 0).padStart(20);
}
