import { mkdirSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { beforeEach, describe, expect, it } from "vitest";
import { staysOnDisks } from "../../src/fuse/disk-path.js";
import type { MountEntry } from "../../src/fuse/mount-table.js";
import { temporaryFolder } from "../support/temp.js";

let folder: string;

beforeEach(() => {
  folder = temporaryFolder();
  for (const name of ["here", "served", "served/below"]) mkdirSync(join(folder, name));
});

/** Asked about `path` below the folder, where a server answers for `served`. */
function asks(path: string, type = "fuse.sshfs"): boolean {
  return staysOnDisks(join(folder, path), [
    entry("/", "ext4"),
    entry(join(folder, "served"), type),
  ]);
}

function entry(mountPoint: string, type: string): MountEntry {
  return { id: 1, device: "0:1", mountPoint, type, source: "somewhere" };
}

function link(name: string, target: string): void {
  symlinkSync(target, join(folder, name));
}

describe("a path on disks", () => {
  it("is one with other mounts elsewhere", () => {
    expect(asks("here")).toBe(true);
    expect(asks("")).toBe(true);
  });

  it("may be missing, or have a file where a folder should be", () => {
    expect(asks("here/and/there")).toBe(true);
    expect(staysOnDisks("/etc/passwd/there", [entry("/", "ext4")])).toBe(true);
  });

  it("may end in a loop", () => {
    link("loop", "loop");
    expect(asks("loop")).toBe(true);
  });

  it("may have a mount of this machine in it", () => {
    expect(asks("served/below", "tmpfs")).toBe(true);
  });
});

describe("a path that a server answers for", () => {
  it.each(["served", "served/below", "served/missing"])("is %s", (path) => {
    expect(asks(path)).toBe(false);
  });

  it.each([
    ["absolute", (to: string) => to],
    ["relative", () => "here/../served"],
  ])("is found behind a symlink that is %s", (_, target) => {
    link("link", target(join(folder, "served")));
    link("to the link", "link/below");
    expect(asks("to the link")).toBe(false);
  });

  it("is any where the root is of one", () => {
    expect(staysOnDisks(folder, [entry("/", "nfs4")])).toBe(false);
  });

  it("is one below /proc, whose links say one thing and lead to another", () => {
    expect(staysOnDisks("/proc/self/cwd", [entry("/", "ext4"), entry("/proc", "proc")])).toBe(
      false,
    );
  });
});
