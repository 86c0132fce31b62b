/**
 * What a mount must show whatever engine serves it. What only one of them does is tested beside it.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { EngineName } from "../../../src/fuse/engine.js";
import {
  FakeMount,
  type FakeOptions,
  kernelTestsObstacle,
  newMountPoint,
  python,
  run,
  until,
} from "./fake-mount.js";

export function engineSuite(engine: EngineName, options: FakeOptions = {}, name = ""): void {
  describe.skipIf(kernelTestsObstacle !== undefined)(`A ${engine} mount${name}`, () => {
    let mount: FakeMount;
    beforeAll(async () => {
      mount = await FakeMount.start(newMountPoint(), { ...options, engine });
    });
    afterAll(() => mount?.discard());

    test("shows its type and is read-only in the mount table", async () => {
      const { stdout } = await run(
        "findmnt",
        "-n",
        "-o",
        "FSTYPE,SOURCE,OPTIONS",
        mount.mountPoint,
      );
      expect(stdout).toMatch(/^fuse\.tvix-store\s+tvix-store\s+ro,/);
      expect(stdout).toContain("default_permissions");
    });

    test("lists, reads and follows links", async () => {
      const names = (await run("ls", mount.mountPoint)).stdout.split("\n");
      expect(names).toContain("hello");
      expect((await run("cat", mount.path("hello"))).stdout).toBe("hello\n");
      expect((await run("cat", mount.path("link"))).stdout).toBe("inside\n");
      expect((await run("readlink", mount.path("dangling"))).stdout).toBe("nowhere\n");
      expect((await run("readlink", mount.path("long-link"))).stdout).toBe(`${"x".repeat(4095)}\n`);
      expect((await run("cat", mount.path("name-255", "n".repeat(255)))).stdout).toBe("long\n");
      expect((await run("ls", "-A", mount.path("empty"))).stdout).toBe("");
    });

    test("executes a file with the executable bit and refuses one without", async () => {
      expect((await run(mount.path("script"))).stdout).toBe("ran\n");
      const refused = await run("sh", "-c", `exec ${mount.path("hello")}`);
      expect(refused.stderr).toContain("Permission denied");
    });

    test("shows canonical attributes", async () => {
      const format = "%f %u %g %h %s %b %Y %X %Z";
      const stat = (name: string) => run("stat", "-c", format, mount.path(name));
      expect((await stat("hello")).stdout).toBe("8124 0 0 1 6 1 1 1 1\n");
      expect((await stat("script")).stdout).toBe("816d 0 0 1 19 1 1 1 1\n");
      expect((await stat("dir")).stdout).toBe("416d 0 0 1 1 0 1 1 1\n");
      expect((await stat("dangling")).stdout).toBe("a1ff 0 0 1 7 0 1 1 1\n");
    });

    test("gives entries of listings the type and inode that stat gives them", async () => {
      const script = `
import os, sys
for e in os.scandir(sys.argv[1]):
    s = os.lstat(e.path)
    assert e.inode() == s.st_ino, (e.name, e.inode(), s.st_ino)
    print(e.name)
`;
      const { status, stdout, stderr } = await python(script, mount.mountPoint);
      expect([status, stderr]).toEqual([0, ""]);
      expect(stdout).toContain("hello");
    });

    test("lists 10,000 entries, each once", async () => {
      const { stdout } = await run("ls", "-f", mount.path("many"));
      const names = stdout.trim().split("\n");
      expect(names.length).toBe(10_002);
      expect(new Set(names).size).toBe(10_002);
    });

    test("reads at offsets beyond 4 GiB", async () => {
      const script = `
import os, sys
f = os.open(sys.argv[1], os.O_RDONLY)
size = os.fstat(f).st_size
for offset in (0, 2**31 - 8, 2**31, 2**32 - 8, 2**32, 2**32 + 8, 4831838208, size - 8):
    assert os.pread(f, 8, offset) == offset.to_bytes(8, "little"), offset
assert os.pread(f, 16, size - 8) == (size - 8).to_bytes(8, "little")
assert os.pread(f, 8, size) == b""
print(size)
`;
      const { stdout, stderr } = await python(script, mount.path("big"));
      expect([stdout, stderr]).toEqual([`${5 * 2 ** 30}\n`, ""]);
    });

    test("reaches a file below a path of 6,000 bytes, and no other", async () => {
      const script = `
import os, sys
os.chdir(sys.argv[1])
for level in range(30):
    os.chdir("d" * 200)
print(os.listdir("."), open("bottom").read().strip())
try: os.stat("../bottom")
except FileNotFoundError: print("none above")
`;
      const { stdout, stderr } = await python(script, mount.path("deep"));
      expect([stdout, stderr]).toEqual(["['bottom'] bottom\nnone above\n", ""]);
    });

    test("answers what is not there with ENOENT and a name too long with ENAMETOOLONG", async () => {
      const script = `
import errno, os, sys
for name in ("none", "dir/none", "hello/none", "x" * 256, "\\udcff"):
    try: os.lstat(os.path.join(sys.argv[1], name))
    except OSError as e: print(errno.errorcode[e.errno])
`;
      const { stdout } = await python(script, mount.mountPoint);
      expect(stdout.split("\n")).toEqual([
        "ENOENT",
        "ENOENT",
        "ENOTDIR",
        "ENAMETOOLONG",
        "ENOENT",
        "",
      ]);
    });

    test("fails every change with EROFS", async () => {
      const script = `
import errno, os, sys
os.chdir(sys.argv[1])
for change in (
    lambda: os.open("new", os.O_CREAT | os.O_WRONLY), lambda: os.open("hello", os.O_WRONLY),
    lambda: os.mkdir("new"), lambda: os.unlink("hello"), lambda: os.rmdir("empty"),
    lambda: os.rename("hello", "new"), lambda: os.chmod("hello", 0o777), lambda: os.truncate("hello", 0),
    lambda: os.chown("hello", 1, 1), lambda: os.utime("hello"), lambda: os.link("hello", "new"),
    lambda: os.symlink("hello", "new"), lambda: os.mkfifo("new"),
    lambda: os.setxattr("hello", "user.a", b"b"), lambda: os.removexattr("hello", "user.a"),
):
    try: change(); print("done")
    except OSError as e: print(errno.errorcode[e.errno])
`;
      const { stdout } = await python(script, mount.mountPoint);
      expect(stdout.trim().split("\n")).toEqual(Array.from({ length: 15 }, () => "EROFS"));
    });

    test("answers EIO when a handler throws, logs why, and goes on", async () => {
      expect((await run("cat", mount.path("broken", "hole"))).stderr).toContain(
        "Input/output error",
      );
      expect((await run("cat", mount.path("broken", "bug"))).stderr).toContain(
        "Input/output error",
      );
      expect(mount.output).toContain("Cannot read blob b3:feed: it is gone");
      expect(mount.output).toContain('"code":"dangling-reference"');
      expect(mount.output).toContain('"code":"internal"');
      expect((await run("cat", mount.path("hello"))).stdout).toBe("hello\n");
    });

    test("tells its capacity, also beyond what 32-bit block counts of 4 KiB hold", async () => {
      const { stdout } = await run("stat", "-f", "-c", "%b %f %S %l", mount.mountPoint);
      const [blocks, free, size, nameMax] = stdout.split(" ").map(Number) as [
        number,
        number,
        number,
        number,
      ];
      expect([blocks * size, free * size, nameMax]).toEqual([2 ** 50, 2 ** 49, 255]);
    });

    test("serves many readers at once", async () => {
      const readers = Array.from({ length: 64 }, (_, n) =>
        run("dd", `if=${mount.path("big")}`, "bs=64k", "count=8", `skip=${n * 100}`, "status=none"),
      );
      for (const { status } of await Promise.all(readers)) expect(status).toBe(0);
    });

    test("shows a new root entry within two seconds, also after a failed lookup", async () => {
      const path = mount.path("late");
      expect((await run("cat", path)).status).toBe(1);
      mount.tell("add late");
      await until(() => mount.output.includes("added late\n"));
      await sleep(2000);
      expect((await run("cat", path)).stdout).toBe("late\n");
      expect((await run("ls", mount.mountPoint)).stdout).toContain("late\n");
    });
  });

  describe.skipIf(kernelTestsObstacle !== undefined)(
    `A ${engine} mount whose root may not be listed`,
    () => {
      test("fails listings with EPERM while lookups work", async () => {
        const mount = await FakeMount.start(newMountPoint(), {
          ...options,
          engine,
          listRoot: false,
        });
        try {
          expect((await run("ls", mount.mountPoint)).stderr).toContain("Operation not permitted");
          expect((await run("cat", mount.path("hello"))).stdout).toBe("hello\n");
          expect((await run("ls", mount.path("dir"))).status).toBe(0);
        } finally {
          mount.discard();
        }
      });
    },
  );
}
