/**
 * A disk that is soon full: a small tmpfs.
 */
import { execFileSync } from "node:child_process";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { atEndOfFile, temporaryFolder } from "./temp.js";

/** Why there can be none here, or `undefined`. */
export const tmpfsObstacle: string | undefined = obstacle();

export class SmallDisk {
  readonly folder: string;

  /** Mounted until the end of the test file. */
  constructor(sizeKib: number) {
    const parent = temporaryFolder();
    this.folder = join(parent, "disk");
    mkdirSync(this.folder);
    mount(this.folder, sizeKib);
    atEndOfFile(() => execFileSync("umount", ["-l", this.folder]));
  }

  grow(sizeKib: number): void {
    execFileSync("mount", ["-o", `remount,size=${sizeKib}k`, this.folder]);
  }
}

function mount(folder: string, sizeKib: number): void {
  execFileSync("mount", ["-t", "tmpfs", "-o", `size=${sizeKib}k`, "tvix-store-test", folder], {
    stdio: ["ignore", "ignore", "pipe"],
  });
}

function obstacle(): string | undefined {
  const script =
    'd=$(mktemp -d) && mount -t tmpfs x "$d" && umount "$d"; s=$?; rmdir "$d"; exit $s';
  try {
    execFileSync("sh", ["-c", script], { stdio: ["ignore", "ignore", "pipe"] });
    return undefined;
  } catch (error) {
    return `no tmpfs can be mounted here: ${error instanceof Error ? error.message : error}`;
  }
}
