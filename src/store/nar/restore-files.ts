/**
 * The files of a restore. The calls are synchronous: with promises each of the four that a small file takes would
 * cost more than the kernel's part of it.
 */
import { closeSync, constants, fchmodSync, fstatSync, openSync, writeSync } from "node:fs";
import { entryPath } from "../../base/entry-path.js";

const NEW_FILE = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW;
const EXECUTABLE_BITS = 0o111;

/** A file to be made. */
export interface NewFile {
  /** The descriptor of the folder it goes into. */
  readonly folder: number;
  readonly name: Uint8Array;
  readonly executable: boolean;
  /** Length of its content in bytes. */
  readonly size: number;
}

/** Why a file could not be made. */
export class FileFailure extends Error {
  /** Which of the files it was. */
  readonly index: number;

  constructor(index: number, cause: unknown) {
    super("A file could not be made", { cause });
    this.index = index;
  }
}

/** Opens a new file for writing. */
export function createFile(location: Buffer): number {
  return openSync(location, NEW_FILE, 0o666);
}

export function makeExecutable(descriptor: number): void {
  fchmodSync(descriptor, (fstatSync(descriptor).mode & 0o7777) | EXECUTABLE_BITS);
}

export function writeFully(descriptor: number, bytes: Uint8Array): void {
  for (let written = 0; written < bytes.length; ) {
    written += writeSync(descriptor, bytes, written, bytes.length - written);
  }
}

/**
 * Makes `files`, whose contents lie one after the other in `contents`.
 *
 * @throws {FileFailure} for the first that cannot be made; those after it are not.
 */
export function makeFiles(files: readonly NewFile[], contents: Uint8Array): void {
  let at = 0;
  for (const [index, { folder, name, executable, size }] of files.entries()) {
    try {
      const descriptor = createFile(entryPath(folder, name));
      try {
        if (executable) makeExecutable(descriptor);
        writeFully(descriptor, contents.subarray(at, at + size));
      } finally {
        // A file system may find out only now that there was no room.
        closeSync(descriptor);
      }
    } catch (error) {
      throw new FileFailure(index, error);
    }
    at += size;
  }
}
