import { execFileSync } from "node:child_process";
import { rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Worker } from "node:worker_threads";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { BackingFiles } from "../../../src/fuse/kernel/backing-files.js";
import { temporaryFolder } from "../../support/temp.js";
import {
  isMountPoint,
  kernelTestsObstacle,
  newMountPoint,
  python,
  until,
} from "../support/fake-mount.js";
import { DeviceServer } from "./support/device-server.js";

const folder = temporaryFolder();

// Here for the threads: they run what was built.
describe.skipIf(kernelTestsObstacle !== undefined)("BackingFiles between threads", () => {
  test("gives all of them the same id for an inode at any one time, and keeps count", async () => {
    const table = new BackingFiles(-1).shared;
    const rounds = 50_000;
    const threads = 4;
    // Many share a hash's neighbourhood; few of them, so that threads meet.
    const inodes = Array.from({ length: 40 }, (_, n) => (n % 8) * 2 ** 32 + Math.floor(n / 8));
    const workerData = {
      table,
      rounds,
      inodes,
      alive: shared(rounds * threads + 1),
      seen: shared(inodes.length),
      next: shared(1),
    };
    const module = new URL("support/hammer.mjs", import.meta.url);
    await Promise.all(
      Array.from({ length: threads }, () => ended(new Worker(module, { workerData }))),
    );
    expect(workerData.alive.every((flag) => flag === 0)).toBe(true);
    expect(new Int32Array(table).slice(0, 2)).toEqual(new Int32Array([0, 0]));
  });
});

function shared(words: number): Int32Array {
  return new Int32Array(new SharedArrayBuffer(4 * words));
}

function ended(worker: Worker): Promise<void> {
  return new Promise((resolve, reject) => {
    worker.on("error", reject);
    worker.on("exit", () => resolve());
  });
}

const READ = `
import mmap, os, sys
path, size = sys.argv[1] + "/backed", int(sys.argv[2])
files = [os.open(path, os.O_RDONLY) for _ in range(4)]
for f in files:
    assert os.read(f, 10) == b"0123456789", "read"
    assert os.pread(f, 10, size - 10) == b"0123456789", "read at the end"
mapped = mmap.mmap(files[0], size, prot=mmap.PROT_READ, flags=mmap.MAP_PRIVATE)
assert mapped[size // 2 : size // 2 + 10] == b"0123456789", "map"
mapped.close()
for f in files: os.close(f)
for _ in range(100): os.close(os.open(path, os.O_RDONLY))
print("right")
`;

describe.skipIf(kernelTestsObstacle !== undefined || process.geteuid?.() !== 0)(
  "Passthrough",
  () => {
    let mountPoint: string;
    let server: DeviceServer;
    const size = 1_000_000;
    beforeEach(async () => {
      const backing = join(folder, "backing");
      writeFileSync(backing, "0123456789".repeat(size / 10));
      mountPoint = newMountPoint();
      server = new DeviceServer(mountPoint, { backing });
      await server.mounted();
    });
    afterEach(async () => {
      await server.kill();
      if (isMountPoint(mountPoint)) execFileSync("umount", ["-l", mountPoint]);
      rmSync(mountPoint, { recursive: true });
    });

    test("lets the kernel read a file of the store itself, open several times", async (context) => {
      if (!server.output.includes("passthrough true"))
        context.skip("this kernel has no passthrough");
      expect((await python(READ, mountPoint, String(size))).stdout).toBe("right\n");
      const opened = [...server.output.matchAll(/^opened (\d+)$/gm)].map(([, id]) => id);
      expect(opened).toHaveLength(104);
      expect(new Set(opened.slice(0, 4)).size).toBe(1);
      await until(() => server.output.split("released").length === 105);
      expect(server.output.trimEnd()).toMatch(/released, in use: 0$/);
    });
  },
);
