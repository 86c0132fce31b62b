import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { existsSync, rmdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import {
  FakeMount,
  isMountPoint,
  kernelTestsObstacle,
  killForGood,
  newMountPoint,
  removeMounts,
  run,
  until,
} from "./support/fake-mount.js";

if (kernelTestsObstacle !== undefined) console.warn(`Kernel tests skipped: ${kernelTestsObstacle}`);

const ENGINES = ["fuse-native", "kernel"] as const;

describe.skipIf(kernelTestsObstacle !== undefined).each(ENGINES)("A session of %s", (engine) => {
  let mountPoint: string;
  let servers: FakeMount[];
  let holders: ChildProcess[];

  beforeEach(() => {
    mountPoint = newMountPoint();
    servers = [];
    holders = [];
  });
  afterEach(() => {
    for (const holder of holders) holder.kill("SIGKILL");
    removeMounts(mountPoint);
    for (const server of servers) server.discard();
    rmSync(mountPoint, { recursive: true, force: true });
  });

  async function start(): Promise<FakeMount> {
    const server = await FakeMount.start(mountPoint, { engine });
    servers.push(server);
    return server;
  }

  /** Starts a server that is expected to refuse; what it said. */
  async function refusal(at = mountPoint, create = true): Promise<string> {
    const server = FakeMount.spawn(at, { engine, create });
    servers.push(server);
    expect(await server.exited()).toBe(1);
    return server.output;
  }

  /** A process that keeps the mount busy; resolves once it does. */
  async function hold(): Promise<ChildProcess> {
    const holder = spawn("sh", ["-c", 'cd "$0" && echo here && exec sleep 60', mountPoint], {
      stdio: ["ignore", "pipe", "ignore"],
    });
    holders.push(holder);
    await new Promise((resolve) => holder.stdout?.once("data", resolve));
    return holder;
  }

  test.each(["SIGINT", "SIGTERM", "SIGHUP"] as const)(
    "ends with 0 on %s, unmounted",
    async (signal) => {
      const server = await start();
      expect((await run("cat", server.path("hello"))).stdout).toBe("hello\n");
      server.process.kill(signal);
      expect(await server.exited()).toBe(0);
      expect(isMountPoint(mountPoint)).toBe(false);
    },
  );

  test("ends with 0 when the mount is taken down from outside", async () => {
    const server = await start();
    expect((await run("umount", mountPoint)).status).toBe(0);
    expect(await server.exited()).toBe(0);
  });

  test("ends with 0 when a mount in use is detached from outside", async () => {
    const server = await start();
    await hold();
    expect((await run("umount", "-l", mountPoint)).status).toBe(0);
    expect(await server.exited()).toBe(0);
  });

  test("says who keeps a busy mount in use and detaches it on a second signal", async () => {
    const server = await start();
    const holder = await hold();
    server.process.kill("SIGINT");
    await until(() => server.output.includes("is in use"));
    expect(server.output).toContain(`is in use by sleep (${holder.pid}): `);
    expect(isMountPoint(mountPoint)).toBe(true);
    await new Promise((resolve) => setTimeout(resolve, 300));
    server.process.kill("SIGINT");
    expect(await server.exited()).toBe(0);
    expect(server.output).toContain(`Detaching ${mountPoint} while in use`);
    expect(isMountPoint(mountPoint)).toBe(false);
  });

  test("unmounts in good order when a busy mount becomes free", async () => {
    const server = await start();
    const holder = await hold();
    server.process.kill("SIGTERM");
    await until(() => server.output.includes("is in use"));
    holder.kill("SIGKILL");
    expect(await server.exited()).toBe(0);
    expect(server.output).not.toContain("Detaching");
    expect(isMountPoint(mountPoint)).toBe(false);
  });

  test("detaches a mount that stays busy after five seconds", async () => {
    const server = await start();
    await hold();
    const started = performance.now();
    server.process.kill("SIGTERM");
    expect(await server.exited()).toBe(0);
    expect(performance.now() - started).toBeGreaterThan(4900);
    expect(server.output).toContain(`Detaching ${mountPoint} while in use`);
    expect(isMountPoint(mountPoint)).toBe(false);
  });

  test("leaves no mount behind when something throws elsewhere in the process", async () => {
    const server = await start();
    server.tell("throw");
    expect(await server.exited()).toBe(1);
    expect(isMountPoint(mountPoint)).toBe(false);
  });

  test("leaves no mount behind on process.exit, even when it is in use", async () => {
    const server = await start();
    await hold();
    server.tell("exit");
    expect(await server.exited()).toBe(7);
    expect(isMountPoint(mountPoint)).toBe(false);
  });

  test("replaces the dead mount that SIGKILL leaves, also when it is in use", async () => {
    const killed = await start();
    await hold();
    await killForGood(killed.process);
    expect((await run("ls", mountPoint)).stderr).toContain("not connected");
    const server = await start();
    expect(server.output).toContain(`Removed the dead mount at ${mountPoint}`);
    expect((await run("cat", server.path("hello"))).stdout).toBe("hello\n");
    server.process.kill("SIGTERM");
    expect(await server.exited()).toBe(0);
    expect(isMountPoint(mountPoint)).toBe(false);
  });

  test("creates an absent mount point when asked to, else refuses", async () => {
    rmdirSync(mountPoint);
    expect(await refusal(mountPoint, false)).toContain("the folder does not exist");
    expect(existsSync(mountPoint)).toBe(false);
    await start();
    expect(isMountPoint(mountPoint)).toBe(true);
  });

  test("follows a symlink to its mount point", async () => {
    const link = `${mountPoint}-link`;
    symlinkSync(mountPoint, link);
    try {
      const server = await FakeMount.start(link, { engine });
      servers.push(server);
      expect(server.output).toContain(`mounted ${mountPoint}\n`);
      server.process.kill("SIGTERM");
      expect(await server.exited()).toBe(0);
    } finally {
      rmSync(link);
    }
  });

  test("refuses a mount point that is a file", async () => {
    rmdirSync(mountPoint);
    writeFileSync(mountPoint, "");
    expect(await refusal()).toContain(`Cannot mount at ${mountPoint}: it is not a folder`);
  });

  test("refuses a folder that is not empty", async () => {
    writeFileSync(`${mountPoint}/file`, "");
    expect(await refusal()).toContain("the folder is not empty");
  });

  test("refuses to cover a live mount, and says what it is", async () => {
    const first = await start();
    expect(await refusal()).toContain("another tvix-store is mounted there");
    first.process.kill("SIGTERM");
    expect(await first.exited()).toBe(0);
    execFileSync("mount", ["-t", "tmpfs", "scratch", mountPoint]);
    expect(await refusal()).toContain("scratch (tmpfs) is mounted there");
    expect(isMountPoint(mountPoint)).toBe(true);
  });

  test("refuses a dead mount of someone else's and names the command that removes it", async () => {
    const mount = "mount -i -t fuse.other -o fd=3,rootmode=40555,user_id=0,group_id=0 other";
    execFileSync("sh", ["-c", `exec 3<>/dev/fuse && ${mount} "$0"`, mountPoint]);
    const output = await refusal();
    expect(output).toContain(
      `other (fuse.other) is mounted at ${mountPoint} and its server is gone`,
    );
    expect(output).toContain(`\`umount -l ${mountPoint}\``);
    expect(await refusal(`${mountPoint}/below`)).toContain(`\`umount -l ${mountPoint}\``);
    expect(isMountPoint(mountPoint)).toBe(true);
  });

  test("does not hang on a mount whose server does not answer", async () => {
    const mount = "mount -i -t fuse.other -o fd=3,rootmode=40555,user_id=0,group_id=0 other";
    const script = `exec 3<>/dev/fuse && ${mount} "$0" && echo here && exec sleep 60`;
    const silent = spawn("sh", ["-c", script, mountPoint], { stdio: ["ignore", "pipe", "ignore"] });
    holders.push(silent);
    await new Promise((resolve) => silent.stdout?.once("data", resolve));
    expect(await refusal()).toContain("the file system there does not answer");
  });

  test("does not take down what was mounted over it", async () => {
    const server = await start();
    execFileSync("mount", ["-t", "tmpfs", "scratch", mountPoint]);
    server.process.kill("SIGTERM");
    expect(await server.exited()).toBe(1);
    expect(server.output).toContain("something else was mounted over it");
    expect((await run("findmnt", "-n", "-o", "FSTYPE", mountPoint)).stdout).toContain("tmpfs");
    execFileSync("umount", [mountPoint]);
  });
});
