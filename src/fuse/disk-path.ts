/**
 * Whether looking at a path may mean waiting for a server: one that is dead or hangs keeps its callers.
 */
import { lstatSync, readlinkSync } from "node:fs";
import { dirname, join } from "node:path";
import { type MountEntry, mountAt, readMountTable } from "./mount-table.js";

/** File systems that answer by themselves. Links of `proc` lead elsewhere than they say, so it is none of them. */
const OWN_ANSWER = new Set(
  "bcachefs btrfs devtmpfs erofs ext2 ext3 ext4 f2fs overlay ramfs squashfs tmpfs vfat xfs zfs".split(
    " ",
  ),
);
/** The kernel gives up here, too. */
const SYMLINKS_MAX = 40;

/**
 * Whether `path`, which is absolute, leads through nothing but file systems of this machine, as far as it exists;
 * symlinks are followed. Others are not asked anything.
 *
 * @param table the mounts of this process
 */
export function staysOnDisks(
  path: string,
  table: readonly MountEntry[] = readMountTable(),
): boolean {
  let folder = "/";
  let symlinks = 0;
  const names = [".", ...path.split("/")];
  for (let name = names.shift(); name !== undefined; name = names.shift()) {
    const place = name === ".." ? dirname(folder) : join(folder, name);
    const mounted = mountAt(table, place);
    if (mounted !== undefined && !OWN_ANSWER.has(mounted.type)) return false;
    const target = linkTarget(place);
    if (target === "unreachable") return true;
    if (target === undefined) {
      folder = place;
    } else {
      if (++symlinks > SYMLINKS_MAX) return true;
      if (target.startsWith("/")) folder = "/";
      names.unshift(...target.split("/"));
    }
  }
  return true;
}

/** Where the symlink at `place` leads; `undefined` when it is none. */
function linkTarget(place: string): string | "unreachable" | undefined {
  try {
    return lstatSync(place).isSymbolicLink() ? readlinkSync(place) : undefined;
  } catch {
    return "unreachable";
  }
}
