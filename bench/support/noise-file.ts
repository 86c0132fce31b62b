/**
 * Files whose content cannot be compressed, the same on every run.
 */
import { createCipheriv } from "node:crypto";
import { closeSync, openSync, writeSync } from "node:fs";

/** Writes new files of so many bytes, each of which goes on where the one before ended. */
export function noiseWriter(): (path: string, bytes: number) => void {
  const noise = createCipheriv("aes-128-ctr", Buffer.alloc(16), Buffer.alloc(16));
  const zeros = Buffer.alloc(2 ** 20);
  return (path, bytes) => {
    const file = openSync(path, "wx");
    for (let left = bytes; left > 0; left -= zeros.length) {
      writeSync(file, noise.update(zeros.subarray(0, left)));
    }
    closeSync(file);
  };
}
