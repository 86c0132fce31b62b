/**
 * Removing what a failed command has left.
 */
import { closeSync, constants, openSync, readdirSync, rmdirSync, unlinkSync } from "node:fs";
import { entryPath } from "./entry-path.js";

const OPEN_FOLDER = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_DIRECTORY;

interface OpenFolder {
  readonly descriptor: number;
  /** Where it is in its parent. */
  readonly location: Uint8Array;
  readonly subfolders: Buffer[];
}

/**
 * Removes the folder at `path` with all below it, however deep: also what no path is short enough to name.
 * Symlinks are removed, not followed.
 *
 * @throws system errors; what could not be removed stays.
 */
export function removeTree(path: Uint8Array): void {
  const stack = [openFolder(path)];
  try {
    for (let top = stack.at(-1); top !== undefined; top = stack.at(-1)) {
      const name = top.subfolders.pop();
      if (name !== undefined) {
        stack.push(openFolder(entryPath(top.descriptor, name)));
        continue;
      }
      stack.pop();
      closeSync(top.descriptor);
      rmdirSync(top.location as Buffer);
    }
  } finally {
    for (const { descriptor } of stack) closeSync(descriptor);
  }
}

/** Opens a folder and removes from it what is no folder. */
function openFolder(location: Uint8Array): OpenFolder {
  const descriptor = openSync(location as Buffer, OPEN_FOLDER);
  try {
    const subfolders: Buffer[] = [];
    const entries = readdirSync(entryPath(descriptor), { encoding: "buffer", withFileTypes: true });
    for (const entry of entries) {
      if (entry.isDirectory()) subfolders.push(entry.name);
      else unlinkSync(entryPath(descriptor, entry.name));
    }
    return { descriptor, location, subfolders };
  } catch (error) {
    closeSync(descriptor);
    throw error;
  }
}
