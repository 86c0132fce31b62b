/**
 * Unfinished uploads: files in the store's `tmp` folder, each named after the process that owns it.
 */
import { randomBytes } from "node:crypto";
import { readFileSync } from "node:fs";
import { type FileHandle, open, readdir, stat, unlink } from "node:fs/promises";
import { join } from "node:path";
import { errnoOf } from "../../base/errors.js";

/** Long enough for any upload, and for processes whose numbers this one cannot see (containers). */
const ABANDONED_AFTER_MS = 24 * 60 * 60 * 1000;

/** What tells the uploads of this thread from those of others. */
const series = randomBytes(8).toString("hex");
let uploads = 0;

/** Creates a new upload file, open for writing, that no other process can be writing. */
export async function createUploadFile(
  folder: string,
): Promise<{ readonly path: string; readonly handle: FileHandle }> {
  const path = join(folder, ownUploadName(`${series}-${uploads++}`));
  return { path, handle: await open(path, "wx", 0o444) };
}

/** Removes uploads that are older than a day and whose process is gone. */
export async function sweepUploads(folder: string, nowMs: number): Promise<void> {
  for (const name of await readdir(folder)) {
    const path = join(folder, name);
    try {
      const { mtimeMs } = await stat(path);
      if (nowMs - mtimeMs > ABANDONED_AFTER_MS && !isOwnerAlive(name)) await unlink(path);
    } catch (error) {
      // Another process finished or swept it meanwhile, or it is not ours to remove: the store does without.
      if (errnoOf(error) === undefined) throw error;
    }
  }
}

/** This process, as its uploads begin. It stays the same, and takes a file in /proc to find out. */
let ownMark: string | undefined;

/** The name of an upload of this process that it calls `name`. */
export function ownUploadName(name: string): string {
  ownMark ??= `${process.pid}.${startTicks(process.pid) ?? 0}`;
  return `${ownMark}.${name}`;
}

/** Whether the process that the upload of this name belongs to still runs, as far as can be seen from here. */
export function isOwnerAlive(name: string): boolean {
  const [pid, ticks] = name.split(".");
  return pid !== undefined && ticks !== undefined && startTicks(Number(pid)) === ticks;
}

/** When a process started, in clock ticks since boot: with its number, an identity. */
function startTicks(pid: number): string | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    // The name, in parentheses, may hold anything; the start time is the 20th field after it.
    return stat.slice(stat.lastIndexOf(")") + 2).split(" ")[19];
  } catch {
    return undefined;
  }
}
