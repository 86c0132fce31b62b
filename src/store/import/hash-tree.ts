/**
 * The NAR of a tree on disk, without storing anything.
 */
import { createHash } from "node:crypto";
import { type NarSink, NarWriter } from "../nar/writer.js";
import type { HashAlgorithm } from "../nix-hash.js";
import { StableFile } from "./stable-file.js";
import { walk } from "./walk.js";

const PIECE_BYTES = 1024 * 1024;

/**
 * The hash of the NAR of the tree at `path`, as `nix hash path` has it.
 *
 * @throws {StoreError} naming the path that could not be read, is of an unsupported kind, or changed.
 */
export function hashTree(path: Uint8Array, algorithm: HashAlgorithm): Buffer {
  const hash = createHash(algorithm);
  dumpTree(path, (bytes) => hash.update(bytes));
  return hash.digest();
}

/** Sinks must not keep what they are given: the next piece overwrites it. */
function dumpTree(path: Uint8Array, sink: NarSink): void {
  const nar = new NarWriter(sink);
  const piece = Buffer.allocUnsafe(PIECE_BYTES);
  let depth = 0;
  for (const step of walk(path)) {
    if (step.type === "folder-end") {
      nar.endDirectory();
      depth--;
    } else {
      if (depth > 0) nar.startEntry(step.name);
      if (step.type === "folder") {
        nar.startDirectory();
        depth++;
        continue;
      }
      if (step.type === "symlink") nar.symlink(step.target);
      else dumpFile(step.location, step.path, nar, piece);
    }
    if (depth > 0) nar.endEntry();
  }
  nar.finish();
}

function dumpFile(location: Uint8Array, path: Uint8Array, nar: NarWriter, piece: Buffer): void {
  const file = StableFile.openFile(location, path);
  try {
    nar.startFile(BigInt(file.size), file.executable);
    for (let offset = 0; offset < file.size; offset += piece.length) {
      const part = piece.subarray(0, Math.min(piece.length, file.size - offset));
      file.read(part, offset);
      nar.write(part);
    }
    file.verifyUnchanged();
    nar.endFile();
  } finally {
    file.close();
  }
}
