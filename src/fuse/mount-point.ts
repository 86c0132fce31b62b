/**
 * Makes a mount point ready: finds or creates the folder, clears a dead mount of ours out of the way, and
 * refuses what would hide something of someone else's.
 */
import { mkdir } from "node:fs/promises";
import { resolve } from "node:path";
import { messageOf, StoreError } from "../base/errors.js";
import type { Logger } from "../base/log.js";
import { isOurs, type MountEntry, mountAt, mountHolding, readMountTable } from "./mount-table.js";
import { type PathState, probePath } from "./path-probe.js";
import { detach, detachCommand, unmountCommand } from "./unmount.js";

export interface MountPointOptions {
  /** Whether to create the folder, and those above it, when it is absent. */
  readonly create: boolean;
  readonly log: Logger;
}

/** More dead mounts than this on top of each other mean that detaching does not work. */
const DEAD_MOUNTS_MAX = 16;

/**
 * Prepares `destination` and returns its real path, where nothing is mounted.
 *
 * @throws {StoreError} `not-found` when it is absent and not to be created, `invalid-argument` when it is
 *   not an empty folder or is taken by a mount that is alive or not ours, `unavailable` when it cannot be
 *   looked at or created.
 */
export async function prepareMountPoint(
  destination: string,
  { create, log }: MountPointOptions,
): Promise<string> {
  const wanted = resolve(destination);
  let found = await probePath(wanted);
  if (found.state === "missing") {
    if (!create) throw refusal("not-found", wanted, "the folder does not exist; create it first");
    await createFolder(wanted);
    found = await probePath(wanted);
  }
  for (let round = 0; round < DEAD_MOUNTS_MAX && isDead(found); round++) {
    const dead = mountAt(readMountTable(), found.path);
    if (dead === undefined || !isOurs(dead)) break;
    await detach(found.path);
    log.info(
      { mountPoint: found.path },
      `Removed the dead mount at ${found.path} that a tvix-store left behind when it was killed`,
    );
    found = await probePath(wanted);
  }
  return usablePath(wanted, found);
}

async function createFolder(path: string): Promise<void> {
  try {
    await mkdir(path, { recursive: true });
  } catch (cause) {
    throw new StoreError("unavailable", `Cannot create the mount point: ${messageOf(cause)}`, {
      cause,
    });
  }
}

function isDead(found: PathState): found is PathState & { state: "failed" } {
  return found.state === "failed" && found.code === "ENOTCONN";
}

/** The path of a folder that is free, or an error that says why it is not. */
function usablePath(wanted: string, found: PathState): string {
  switch (found.state) {
    case "missing":
      throw refusal("unavailable", wanted, "the folder was removed while we looked");
    case "hung":
      throw refusal(
        "unavailable",
        wanted,
        "the file system there does not answer; when its server will not come back, detach it with " +
          `\`${detachCommand(wanted)}\``,
      );
    case "not-directory":
      throw refusal("invalid-argument", wanted, "it is not a folder");
    case "failed":
      throw failed(found);
    case "directory": {
      const mounted = mountAt(readMountTable(), found.path);
      if (mounted !== undefined) throw taken(mounted);
      if (!found.empty) {
        throw refusal(
          "invalid-argument",
          found.path,
          "the folder is not empty; mount at an empty one",
        );
      }
      return found.path;
    }
  }
}

function failed({ path, code }: PathState & { state: "failed" }): StoreError {
  const table = readMountTable();
  if (code !== "ENOTCONN") {
    // A mount that its user has not opened to others refuses even root.
    const closed = mountAt(table, path);
    if (closed !== undefined) return taken(closed);
    return refusal("unavailable", path, `it cannot be looked at (${code})`);
  }
  const mounted = mountHolding(table, path);
  if (mounted === undefined) return refusal("unavailable", path, "it is not connected");
  return refusal(
    "invalid-argument",
    path,
    `${describe(mounted)} is mounted at ${mounted.mountPoint} and its server is gone; remove it with ` +
      `\`${detachCommand(mounted.mountPoint)}\``,
  );
}

function taken(mounted: MountEntry): StoreError {
  const { mountPoint } = mounted;
  const who = isOurs(mounted) ? "another tvix-store" : describe(mounted);
  return refusal(
    "invalid-argument",
    mountPoint,
    `${who} is mounted there; unmount it with \`${unmountCommand(mountPoint)}\` or mount elsewhere`,
  );
}

function describe({ source, type }: MountEntry): string {
  return `${source} (${type})`;
}

function refusal(
  code: "not-found" | "invalid-argument" | "unavailable",
  path: string,
  why: string,
): StoreError {
  return new StoreError(code, `Cannot mount at ${path}: ${why}`);
}
