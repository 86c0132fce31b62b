import { type ChildProcess, spawn } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, beforeAll, describe, expect, test } from "vitest";
import {
  childrenOf,
  isMountPoint,
  kernelTestsObstacle,
  killForGood,
  removeMounts,
  until,
} from "../fuse/support/fake-mount.js";
import { noise } from "../support/bytes.js";
import { outputOf, runProgram } from "../support/child.js";
import { TestStore } from "../support/cli.js";
import { CliMount } from "../support/cli-mount.js";
import { PYTHON } from "../support/python.js";
import { temporaryFolder } from "../support/temp.js";

if (kernelTestsObstacle !== undefined) console.warn(`Kernel tests skipped: ${kernelTestsObstacle}`);

/** Longer than {@link StopSignals} takes two signals for one. */
const BETWEEN_SIGNALS_MS = 300;

describe.skipIf(kernelTestsObstacle !== undefined)("A kernel mount of a store", () => {
  const store = new TestStore();
  let storePath: string;
  let mounts: CliMount[] = [];
  let users: ChildProcess[] = [];

  beforeAll(async () => {
    const tree = join(temporaryFolder(), "tree");
    mkdirSync(tree);
    writeFileSync(join(tree, "file"), noise(3_000_000));
    storePath = await store.import(tree);
  });
  afterEach(() => {
    for (const user of users) user.kill("SIGKILL");
    for (const mount of mounts) mount.discard();
    mounts = [];
    users = [];
  });

  async function start(...options: string[]): Promise<CliMount> {
    const mount = await CliMount.start(store, "--engine=kernel", ...options);
    mounts.push(mount);
    return mount;
  }

  /** A process that sits in the mount with a file open, and reads on in it for each line it is sent. */
  async function use(mount: CliMount): Promise<ChildProcess & { output: string }> {
    const script = `
import os, sys
os.chdir(sys.argv[1])
f = os.open("file", os.O_RDONLY)
offset = 0
os.posix_fadvise(f, 0, 0, os.POSIX_FADV_RANDOM)
print("open", flush=True)
for _ in sys.stdin:
    try: print(len(os.pread(f, 4096, offset)), flush=True)
    except OSError as e: print(e.strerror, flush=True)
    offset += 1 << 20
`;
    const user = Object.assign(
      spawn(PYTHON, ["-c", script, mount.path(storePath)], {
        stdio: ["pipe", "pipe", "inherit"],
      }),
      { output: "" },
    );
    users.push(user);
    user.stdout.on("data", (chunk: Buffer) => {
      user.output += chunk;
    });
    await until(() => user.output.includes("open\n"));
    return user;
  }

  test("is taken down by its watcher when its server is killed, in use or not", async () => {
    const idle = await start();
    const busy = await start();
    const user = await use(busy);
    for (const mount of [idle, busy]) {
      await until(() => childrenOf(mount.process).length > 0);
      mount.process.kill("SIGKILL");
      await until(() => !isMountPoint(mount.mountPoint));
    }
    user.stdin?.write("\n");
    await until(() => /not connected|Software caused/.test(user.output));
  });

  test("replaces a dead one at its start", async () => {
    const killed = await start();
    await killForGood(killed.process);
    expect(isMountPoint(killed.mountPoint)).toBe(true);
    const second = spawn(process.execPath, [...killed.process.spawnargs.slice(1)], {
      env: store.environment,
      stdio: ["ignore", "ignore", "pipe"],
    });
    users.push(second);
    let stderr = "";
    second.stderr.on("data", (chunk: Buffer) => {
      stderr += chunk;
    });
    await until(() => stderr.includes("mounted "));
    expect(stderr).toContain("Removed the dead mount");
    expect(await outputOf("ls", join(killed.path(storePath)))).toBe("file\n");
    second.kill("SIGINT");
    await until(() => second.exitCode !== null);
    expect(second.exitCode).toBe(0);
    expect(isMountPoint(killed.mountPoint)).toBe(false);
  });

  test.each([1, 4])(
    "warns at the first signal while in use, detaches at the second, ends with 0 (%i threads)",
    async (threads) => {
      const mount = await start(`--threads=${threads}`);
      const user = await use(mount);
      mount.process.kill("SIGTERM");
      await until(() => mount.stderr.includes("is in use"));
      expect(isMountPoint(mount.mountPoint)).toBe(true);
      user.stdin?.write("\n");
      await until(() => user.output.includes("4096\n"));
      await sleep(BETWEEN_SIGNALS_MS);
      mount.process.kill("SIGTERM");
      await until(() => mount.hasExited);
      expect(mount.process.exitCode).toBe(0);
      expect(mount.stderr).toContain("while in use");
      expect(isMountPoint(mount.mountPoint)).toBe(false);
      // The connection has ended with the process, or the reader would wait for ever.
      user.stdin?.write("\n");
      await until(() => /not connected|Software caused/.test(user.output));
    },
  );

  test.each([[], ["-l"]])("ends with 0 after an outside umount %s", async (...flags) => {
    const mount = await start();
    const user = flags.length > 0 ? await use(mount) : undefined;
    await outputOf("umount", ...flags, mount.mountPoint);
    await until(() => mount.hasExited);
    expect(mount.process.exitCode).toBe(0);
    expect(user?.exitCode ?? null).toBe(null);
  });

  test("leaves alone what was mounted in its place by the time its server is killed", async () => {
    const mount = await start();
    await outputOf("mount", "-t", "tmpfs", "scratch", mount.mountPoint);
    try {
      mount.process.kill("SIGKILL");
      await until(() => mount.hasExited);
      await sleep(BETWEEN_SIGNALS_MS);
      const types = await runProgram("findmnt", ["-n", "-o", "FSTYPE", mount.mountPoint]);
      expect(types.stdout).toContain("tmpfs");
    } finally {
      removeMounts(mount.mountPoint);
    }
  });

  test("goes on when nobody reads its log any more", async () => {
    const damaged = new TestStore();
    const tree = join(temporaryFolder(), "tree");
    const content = noise(200_000, 9);
    mkdirSync(tree);
    for (const name of ["gone", "whole"]) writeFileSync(join(tree, name), content);
    writeFileSync(join(tree, "whole"), "whole\n");
    const path = await damaged.import(tree);
    await outputOf("find", join(damaged.folder, "blobs"), "-type", "f", "-delete");
    const mount = await CliMount.start(damaged, "--engine=kernel", "--threads=1");
    mounts.push(mount);
    mount.process.stderr?.destroy();
    for (let round = 0; round < 3; round++) {
      const { stderr } = await runProgram("cat", [mount.path(path, "gone")]);
      expect(stderr).toContain("Input/output error");
      expect(await outputOf("cat", mount.path(path, "whole"))).toBe("whole\n");
    }
    expect(await mount.stop()).toBe(0);
  });
});
