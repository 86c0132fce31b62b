import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { mountAt, readMountTable } from "../../../src/fuse/mount-table.js";
import { kernelTestsObstacle, newMountPoint, run, until } from "../support/fake-mount.js";
import { DeviceServer } from "./support/device-server.js";
import { OtherUser } from "./support/other-user.js";

const isRoot = process.geteuid?.() === 0;

describe.skipIf(kernelTestsObstacle !== undefined || !isRoot)("mountDevice() as root", () => {
  let mountPoint: string;
  let server: DeviceServer | undefined;
  beforeEach(() => {
    mountPoint = newMountPoint();
  });
  afterEach(async () => {
    await server?.kill();
    server = undefined;
    while (mountAt(readMountTable(), mountPoint)) execFileSync("umount", ["-l", mountPoint]);
    rmSync(mountPoint, { recursive: true });
  });

  test("mounts read-only under our name, quickly", async () => {
    server = new DeviceServer(mountPoint);
    const mount = await server.mounted();
    expect(mount).toMatchObject({ mountPoint, type: "fuse.tvix-store", source: "tvix-store" });
    expect(mount.tookMs).toBeLessThan(1000);
    const { stdout } = await run("findmnt", "-n", "-o", "OPTIONS", mountPoint);
    expect(stdout.trim().split(",")).toEqual(
      expect.arrayContaining(["ro", "nosuid", "nodev", "noatime", "default_permissions"]),
    );
    expect(stdout).not.toContain("allow_other");
    expect(await run("ls", "-A", mountPoint)).toMatchObject({ status: 0, stdout: "" });
  });

  test("opens the mount to others when asked", async () => {
    server = new DeviceServer(mountPoint, { allowOther: true });
    await server.mounted();
    const { stdout } = await run("findmnt", "-n", "-o", "OPTIONS", mountPoint);
    expect(stdout).toContain("allow_other");
  });

  test("mounts at a path with spaces, commas and backslashes", async () => {
    rmSync(mountPoint, { recursive: true });
    mountPoint = mkdtempSync(join(tmpdir(), "tvix-store a,b\\c \\040,ro=\"'ü-"));
    server = new DeviceServer(mountPoint);
    expect(await server.mounted()).toMatchObject({ mountPoint });
    expect(await run("ls", "-A", mountPoint)).toMatchObject({ status: 0 });
  });

  test("raises the read-ahead of the mount", async () => {
    server = new DeviceServer(mountPoint);
    const { device } = await server.mounted();
    expect(readFileSync(`/sys/class/bdi/${device}/read_ahead_kb`, "utf8")).toBe("1024\n");
  });

  test("leaves the device to no program started later", async () => {
    server = new DeviceServer(mountPoint);
    await server.mounted();
    await server.tell("spawn");
    await server.kill();
    expect((await run("ls", mountPoint)).stderr).toContain("not connected");
  });

  test("says why the kernel does not mount", async () => {
    server = new DeviceServer(`${mountPoint}/absent`);
    const { code, message } = await server.failed();
    expect(code).toBe("unavailable");
    expect(message).toBe(`Cannot mount at ${mountPoint}/absent: ENOENT`);
  });
});

describe.skipIf(kernelTestsObstacle !== undefined || !isRoot)("mountDevice() as nobody", () => {
  let user: OtherUser;
  let server: DeviceServer | undefined;
  beforeAll(async () => {
    user = await OtherUser.start();
  });
  afterEach(async () => {
    await server?.kill();
    server = undefined;
    while (user.isMountPoint(user.mountPoint))
      await user.run("fusermount3", "-uz", user.mountPoint);
  });
  afterAll(() => user.close());

  test("mounts, reads and unmounts", async () => {
    server = user.serve(user.mountPoint, {});
    const mount = await server.mounted();
    expect(mount).toMatchObject({ type: "fuse.tvix-store", source: "tvix-store" });
    expect(mount.tookMs).toBeLessThan(1000);
    const { stdout } = await user.run("findmnt", "-n", "-o", "OPTIONS", user.mountPoint);
    expect(stdout.trim().split(",")).toEqual(
      expect.arrayContaining(["ro", "nosuid", "nodev", "noatime", "user_id=65534"]),
    );
    expect(await user.run("ls", "-A", user.mountPoint)).toMatchObject({ status: 0, stdout: "" });
    expect((await user.runAsRoot("ls", user.mountPoint)).stderr).toContain("denied");
    expect(await user.run("fusermount3", "-u", user.mountPoint)).toMatchObject({ status: 0 });
    expect(user.isMountPoint(user.mountPoint)).toBe(false);
  });

  test("leaves the read-ahead alone, which takes root", async () => {
    server = user.serve(user.mountPoint, {});
    await server.mounted();
    expect(server.output).toContain("Left the read-ahead of the mount as it is: EACCES");
  });

  test("leaves the device to no program started later", async () => {
    server = user.serve(user.mountPoint, {});
    await server.mounted();
    await server.tell("spawn");
    await server.kill();
    expect((await user.run("ls", user.mountPoint)).stderr).toContain("not connected");
  });

  test("says what fusermount3 says", async () => {
    server = user.serve(user.closedFolder, {});
    const closed = await server.failed();
    expect(closed.code).toBe("unavailable");
    expect(closed.message).toMatch(/^Cannot mount at .*: fusermount3: .*no write access/);
    await server.kill();
    server = user.serve(user.mountPoint, { allowOther: true });
    expect((await server.failed()).message).toContain("user_allow_other");
  });

  test("is taken down when the server is killed", async () => {
    server = user.serve(user.mountPoint, { watch: true });
    await server.mounted();
    await server.kill();
    await until(() => !user.isMountPoint(user.mountPoint), 1000);
  });
});
