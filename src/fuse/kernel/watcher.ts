/**
 * A small process that takes a mount down when this process is gone without having done so, killed by
 * SIGKILL or for want of memory. Everything that looks at a dead mount fails until somebody does.
 */
import { spawn } from "node:child_process";
import { mountAt, readMountTable } from "../mount-table.js";

export interface Watcher {
  /** Ends the watcher and leaves the mount as it is. May be called again. */
  close(): void;
}

/**
 * Arguments: the mount as `id major:minor`, its type, its mount point, and the same as the mount table
 * spells it.
 *
 * A line on the input is the end of the watch; the end of the input without one is that of the watched.
 * Then the mount is detached, unless another one is met at its place by now. The numbers alone would not
 * tell: they are given out again at once. umount(8) is for root, the helpers of libfuse are for others.
 */
const SCRIPT = `
trap '' HUP INT TERM
read -r line && exit
top=
while read -r id _ device _ point rest; do
  [ "$point" = "$4" ] && top="$id $device $rest"
done < /proc/self/mountinfo
case $top in "$1 "*" - $2 "*) ;; *) exit ;; esac
umount -l "$3" || fusermount3 -uz "$3" || fusermount -uz "$3"
`;

/** Watches over the mount at `mountPoint`, an absolute path. Without a mount there it does nothing. */
export function startWatcher(mountPoint: string): Watcher {
  const mount = mountAt(readMountTable(), mountPoint);
  if (mount === undefined) return { close: () => {} };
  const { id, device, type } = mount;
  const args = [`${id} ${device}`, type, mountPoint, escapeField(mountPoint)];
  const child = spawn("sh", ["-c", SCRIPT, "tvix-store-watcher", ...args], {
    // In a session of its own: what is sent to our process group must not end it before us.
    detached: true,
    // It must not keep any file system busy.
    cwd: "/",
    stdio: ["pipe", "ignore", "ignore"],
  });
  child.unref();
  // Its input is open in no other process, so it ends with this one. Without a watcher the mount stays
  // behind when we are killed, and the next start removes it.
  const input = child.stdin as typeof child.stdin & { unref(): void };
  input.unref();
  input.on("error", () => {});
  child.on("error", () => {});
  return { close: () => input.end("\n") };
}

/** As the mount table writes it, see mount-table.ts. */
function escapeField(text: string): string {
  return text.replace(/[ \t\n\\]/g, (c) => `\\${c.charCodeAt(0).toString(8).padStart(3, "0")}`);
}
