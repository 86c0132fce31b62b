/**
 * Taking mounts down, in child processes: root with umount(8), others with the helper of libfuse, which
 * has the right to. What these commands do to a mount needs no answer from its server.
 */
import { spawnSync } from "node:child_process";
import { StoreError } from "../base/errors.js";
import { runChild } from "./child.js";

/**
 * Unmounts the topmost mount at `mountPoint`. `busy` when programs use it; then nothing has changed.
 *
 * @throws {StoreError} `unavailable` with the command's own words when it fails for another reason.
 */
export async function unmount(mountPoint: string): Promise<"unmounted" | "busy"> {
  const failure = await runFirst(unmountCommands(mountPoint, false));
  if (failure === undefined) return "unmounted";
  // Neither program has an exit status of its own for this; LC_ALL=C fixes the words they end with.
  if (/\bbusy\.?$/m.test(failure)) return "busy";
  throw new StoreError("unavailable", `Cannot unmount ${mountPoint}: ${failure}`);
}

/**
 * Detaches the topmost mount at `mountPoint` from the tree at once, whoever uses it. Files that are open
 * stay usable for as long as their server lives.
 *
 * @throws {StoreError} `unavailable` with the command's own words when that fails.
 */
export async function detach(mountPoint: string): Promise<void> {
  const failure = await runFirst(unmountCommands(mountPoint, true));
  if (failure !== undefined) {
    throw new StoreError("unavailable", `Cannot detach ${mountPoint}: ${failure}`);
  }
}

/** {@link detach} for a process about to end: blocks, and failure is silent. */
export function detachSync(mountPoint: string): void {
  for (const [program, ...args] of unmountCommands(mountPoint, true)) {
    const { status } = spawnSync(program, args, { stdio: "ignore", timeout: DETACH_SYNC_MS });
    if (status === 0) return;
  }
}

const DETACH_SYNC_MS = 2000;

/** What a user types to unmount, ready for a shell. */
export function unmountCommand(mountPoint: string): string {
  return commandLine(unmountCommands(mountPoint, false));
}

/** What a user types to get rid of a dead mount, ready for a shell. */
export function detachCommand(mountPoint: string): string {
  return commandLine(unmountCommands(mountPoint, true));
}

function commandLine([first]: readonly Command[]): string {
  return (first ?? [])
    .map((word) => (/^[\w./@:+-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`))
    .join(" ");
}

type Command = readonly [program: string, ...args: string[]];

/** What may unmount here, to be tried in turn as long as the program is missing. */
function unmountCommands(mountPoint: string, lazy: boolean): readonly Command[] {
  if (process.geteuid?.() === 0) {
    return [lazy ? ["umount", "-l", mountPoint] : ["umount", mountPoint]];
  }
  const flags = lazy ? "-uz" : "-u";
  return [
    ["fusermount3", flags, mountPoint],
    ["fusermount", flags, mountPoint],
  ];
}

/** Runs the first of `commands` that exists. `undefined` when it succeeded, else what it said. */
async function runFirst(commands: readonly Command[]): Promise<string | undefined> {
  for (const [program, ...args] of commands) {
    const outcome = await runChild(program, args);
    if (outcome.type === "missing") continue;
    if (outcome.type === "timeout") return `${program} does not end`;
    if (outcome.status === 0) return undefined;
    return outcome.stderr || `${program} failed with status ${outcome.status}`;
  }
  return `${commands.map(([program]) => program).join(" and ")} not found`;
}
