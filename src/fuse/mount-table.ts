/**
 * The mount table of this process, /proc/self/mountinfo (proc_pid_mountinfo(5)). One mount per line:
 *
 *   id parent-id major:minor root mount-point options [tag…] - type source super-options
 *
 * Space, tab, newline and backslash in a field are written as three octal digits: `\040`. Reading the
 * table asks no file system anything, so it is safe however dead or hung a mount is.
 */
import { readFileSync } from "node:fs";
import { MOUNT_TYPE } from "./engine.js";

export interface MountEntry {
  /** Unique among the mounts of the moment; numbers of mounts that are gone are given out again. */
  readonly id: number;
  /** `major:minor`, as the directories below /sys/class/bdi are called. */
  readonly device: string;
  readonly mountPoint: string;
  readonly type: string;
  readonly source: string;
}

/** The mounts of this process, the oldest first. */
export function readMountTable(): MountEntry[] {
  return parseMountTable(readFileSync("/proc/self/mountinfo", "utf8"));
}

/** The mounts listed in `text`; lines of another form are left out. */
export function parseMountTable(text: string): MountEntry[] {
  return text.split("\n").flatMap((line) => {
    const [left, right] = line.split(" - ");
    const [id, , device, , mountPoint] = left?.split(" ") ?? [];
    const [type, source] = right?.split(" ") ?? [];
    if (id === undefined || device === undefined || mountPoint === undefined) return [];
    if (type === undefined || source === undefined) return [];
    return [
      {
        id: Number(id),
        device,
        mountPoint: unescapeField(mountPoint),
        type: unescapeField(type),
        source: unescapeField(source),
      },
    ];
  });
}

function unescapeField(field: string): string {
  return field.replace(/\\([0-7]{3})/g, (_, octal: string) =>
    String.fromCharCode(Number.parseInt(octal, 8)),
  );
}

/** The mount one meets at `mountPoint`: of several on top of each other, the last. */
export function mountAt(table: readonly MountEntry[], mountPoint: string): MountEntry | undefined {
  return table.findLast((entry) => entry.mountPoint === mountPoint);
}

/** The innermost mount that holds `path`. */
export function mountHolding(table: readonly MountEntry[], path: string): MountEntry | undefined {
  const inside = table.filter(({ mountPoint }) => isInside(path, mountPoint));
  return inside.reduce<MountEntry | undefined>(
    (best, entry) =>
      best === undefined || entry.mountPoint.length >= best.mountPoint.length ? entry : best,
    undefined,
  );
}

/** Whether `path` is `folder` or lies below it. Both are absolute and plain. */
export function isInside(path: string, folder: string): boolean {
  return folder === "/" || path === folder || path.startsWith(`${folder}/`);
}

/** Whether `entry` was mounted by a tvix-store, alive or dead. */
export function isOurs(entry: MountEntry): boolean {
  return entry.type === MOUNT_TYPE;
}

/** Whether `entry` is still in `table`: the same mount, not another that was given its number. */
export function isMounted(table: readonly MountEntry[], entry: MountEntry): boolean {
  return table.some(
    ({ id, device, type, mountPoint }) =>
      id === entry.id &&
      device === entry.device &&
      // A tmpfs mounted right after us can get both of our numbers.
      type === entry.type &&
      mountPoint === entry.mountPoint,
  );
}

/** Whether `entry` is what one meets at its mount point, and so what unmounting there would take away. */
export function isOnTop(table: readonly MountEntry[], entry: MountEntry): boolean {
  const top = mountAt(table, entry.mountPoint);
  return top !== undefined && isMounted([top], entry);
}
