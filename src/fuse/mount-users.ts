/**
 * Who keeps a mount busy, read from /proc: working and root folders, programs, open files and mapped
 * ones. Reading these links and lists asks only the kernel; the mount itself is never touched.
 */
import { readdir, readFile, readlink } from "node:fs/promises";
import { isInside } from "./mount-table.js";

/** A process that uses a mount. */
export interface MountUser {
  readonly pid: number;
  /** Its name as `ps` shows it: at most 15 bytes. */
  readonly command: string;
}

/**
 * Up to `limit` processes that use what lies at or below `mountPoint`. Processes of other users are seen
 * only by root; those that end meanwhile are passed over.
 */
export async function findMountUsers(mountPoint: string, limit: number): Promise<MountUser[]> {
  const users: MountUser[] = [];
  for (const name of await readdir("/proc")) {
    const pid = Number(name);
    if (!Number.isInteger(pid) || pid === process.pid) continue;
    if (!(await usesMount(`/proc/${name}`, mountPoint))) continue;
    users.push({ pid, command: (await orEmpty(readFile(`/proc/${name}/comm`, "utf8"))).trim() });
    if (users.length >= limit) break;
  }
  return users;
}

async function usesMount(folder: string, mountPoint: string): Promise<boolean> {
  for (const link of ["cwd", "root", "exe"]) {
    if (leadsInside(await orEmpty(readlink(`${folder}/${link}`)), mountPoint)) return true;
  }
  for (const descriptor of await readdir(`${folder}/fd`).catch(() => [])) {
    const target = await orEmpty(readlink(`${folder}/fd/${descriptor}`));
    if (leadsInside(target, mountPoint)) return true;
  }
  const maps = await orEmpty(readFile(`${folder}/maps`, "utf8"));
  return maps.includes(` ${mountPoint}/`);
}

function leadsInside(target: string, mountPoint: string): boolean {
  return target !== "" && isInside(target, mountPoint);
}

/** Processes come and go, and not all of them are ours to look at. */
function orEmpty(reading: Promise<string>): Promise<string> {
  return reading.catch(() => "");
}
