import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { startWatcher } from "../../../src/fuse/kernel/watcher.js";
import { mountAt, readMountTable } from "../../../src/fuse/mount-table.js";
import { kernelTestsObstacle, run, until } from "../support/fake-mount.js";
import { DeviceServer } from "./support/device-server.js";

const isRoot = process.geteuid?.() === 0;

describe.skipIf(kernelTestsObstacle !== undefined || !isRoot)("startWatcher()", () => {
  let mountPoint: string;
  let server: DeviceServer;
  let holder: ChildProcess | undefined;
  beforeEach(async () => {
    // What the shell and the mount table treat in their own ways.
    mountPoint = mkdtempSync(join(tmpdir(), "tvix-store it's a\\b $(c)\t*-"));
    server = new DeviceServer(mountPoint, { watch: true });
    await server.mounted();
    await until(() => watchers().length === 1);
  });
  afterEach(async () => {
    holder?.kill("SIGKILL");
    await server.kill();
    await until(() => watchers().length === 0);
    while (typeHere() !== undefined) execFileSync("umount", ["-l", mountPoint]);
    rmSync(mountPoint, { recursive: true });
  });

  /** The type of the mount one meets. */
  function typeHere(): string | undefined {
    return mountAt(readMountTable(), mountPoint)?.type;
  }

  /** The process ids of the watchers of this mount point. */
  function watchers(): number[] {
    return readdirSync("/proc")
      .filter((name) => {
        try {
          const words = readFileSync(`/proc/${name}/cmdline`, "utf8").split("\0");
          return words.includes("tvix-store-watcher") && words.includes(mountPoint);
        } catch {
          return false;
        }
      })
      .map(Number);
  }

  test("takes the mount down within a second of SIGKILL, also when it is in use", async () => {
    holder = spawn("sh", ["-c", 'cd "$0" && echo here && exec sleep 60', mountPoint]);
    await new Promise((resolve) => holder?.stdout?.once("data", resolve));
    await server.kill();
    await until(() => typeHere() === undefined, 1000);
  });

  test("is not held up by programs that the server has started", async () => {
    await server.tell("spawn");
    await server.kill();
    await until(() => typeHere() === undefined, 1000);
  });

  test("leaves with a server that unmounts in good order", async () => {
    await run("umount", mountPoint);
    await server.tell("close-watcher");
    await until(() => watchers().length === 0);
  });

  test("touches nothing once closed, even if the server dies that moment", async () => {
    server.process.stdin?.write("close-and-die\n");
    await until(() => server.hasExited && watchers().length === 0);
    expect(typeHere()).toBe("fuse.tvix-store");
  });

  test("leaves what was mounted over the mount, and the mount under it", async () => {
    execFileSync("mount", ["-t", "tmpfs", "scratch", mountPoint]);
    await server.kill();
    await until(() => watchers().length === 0);
    expect(typeHere()).toBe("tmpfs");
    execFileSync("umount", [mountPoint]);
    expect(typeHere()).toBe("fuse.tvix-store");
  });

  test("leaves what was mounted in place of the mount", async () => {
    // It is given the numbers of the one before.
    execFileSync("umount", [mountPoint]);
    execFileSync("mount", ["-t", "tmpfs", "scratch", mountPoint]);
    await server.kill();
    await until(() => watchers().length === 0);
    expect(typeHere()).toBe("tmpfs");
  });

  test("does not hear what is sent to the server's process group or terminal", async () => {
    const [watcher = 0] = watchers();
    const [, , group, session] = readFileSync(`/proc/${watcher}/stat`, "utf8")
      .replace(/^.*\) /, "")
      .split(" ");
    expect([Number(group), Number(session)]).toEqual([watcher, watcher]);
  });

  test("outlives signals that ask the whole service to end", async () => {
    for (const signal of ["SIGTERM", "SIGINT", "SIGHUP"]) process.kill(watchers()[0] ?? 0, signal);
    await server.kill();
    await until(() => typeHere() === undefined, 1000);
  });

  test("may be killed without harm to the server", async () => {
    process.kill(watchers()[0] ?? 0, "SIGKILL");
    await until(() => watchers().length === 0);
    await server.tell("close-watcher");
    await server.tell("close-watcher");
    expect(await run("ls", mountPoint)).toMatchObject({ status: 0 });
  });
});

test("startWatcher() does nothing where nothing is mounted", () => {
  startWatcher("/no/such/mount").close();
});
