import { spawn } from "node:child_process";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  FakeMount,
  kernelTestsObstacle,
  newMountPoint,
  type Output,
  run,
  SERVED_BY,
  until,
} from "../support/fake-mount.js";

if (kernelTestsObstacle !== undefined) console.warn(`Kernel tests skipped: ${kernelTestsObstacle}`);

describe.skipIf(kernelTestsObstacle !== undefined).each(Object.entries(SERVED_BY))(
  "A request to the %s for what is not here yet",
  (who, earlyLimits) => {
    let mount: FakeMount;
    beforeAll(async () => {
      // One thread: nobody but the main thread can answer while others are served.
      const options = { engine: "kernel", threads: 1, earlyLimits } as const;
      mount = await FakeMount.start(newMountPoint(), options);
      if (who === "threads") await mount.untilThreadsServe();
    });
    afterAll(() => mount?.discard());

    function said(text: string): Promise<void> {
      return until(() => mount.output.includes(text));
    }

    /** Runs a program while its request for `piece` waits, and lets the piece arrive then. */
    async function runUntilBrought(
      piece: number,
      ...command: [string, ...string[]]
    ): Promise<Output> {
      const running = run(...command);
      await said(`fetching ${piece}\n`);
      mount.tell(`bring ${piece}`);
      return await running;
    }

    async function expectOthersServed(): Promise<void> {
      expect((await run("cat", mount.path("hello"))).stdout).toBe("hello\n");
      expect((await run("ls", mount.path("dir"))).status).toBe(0);
    }

    test("waits until a file is fetched", async () => {
      expect(await runUntilBrought(0, "cat", mount.path("remote", "file"))).toMatchObject({
        status: 0,
        stdout: "fetched\n",
      });
    });

    test("waits again for what is missed next, while others are served", async () => {
      const running = run("cat", mount.path("remote", "twice"));
      await said("fetching 1\n");
      mount.tell("bring 1");
      await said("fetching 2\n");
      await expectOthersServed();
      mount.tell("bring 2");
      expect(await running).toMatchObject({ status: 0, stdout: "both\n" });
    });

    test("waits for a folder and for a target too", async () => {
      const names = await runUntilBrought(3, "ls", mount.path("remote", "folder"));
      expect(names.stdout).toBe("inside\n");
      const target = await runUntilBrought(4, "readlink", mount.path("remote", "link"));
      expect(target.stdout).toBe("file\n");
    });

    test("is an I/O error when the fetch fails, and is asked anew the next time", async () => {
      const path = mount.path("remote", "failing");
      const reading = run("cat", path);
      await said("fetching 5\n");
      await expectOthersServed();
      mount.tell("fail 5 unavailable");
      const failed = { status: 1, stderr: expect.stringContaining("Input/output error") };
      expect(await reading).toMatchObject(failed);
      expect(mount.output).toMatch(
        /Cannot read inode \d+: Cannot fetch piece 5.*"code":"unavailable"/,
      );
      expect(await run("cat", path)).toMatchObject(failed);
      mount.tell("bring 5");
      await until(() => mount.output.includes("brought 5\n"));
      expect(await run("cat", path)).toMatchObject({ status: 0, stdout: "at last\n" });
    });

    test.runIf(who === "threads")(
      "is an I/O error when the main thread cannot be told of it",
      async () => {
        const { stderr } = await run("cat", mount.path("remote", "unspeakable"));
        expect(stderr).toContain("Input/output error");
        expect(mount.output).toMatch(/Cannot read inode \d+: .*could not be cloned/);
        await expectOthersServed();
      },
    );

    test.each([
      ["a listing", "SIGKILL", 7, ["ls", "remote/stuck-folder"]],
      ["a listing", "SIGINT", 7, ["ls", "remote/stuck-folder"]],
      ["a lookup", "SIGTERM", 7, ["cat", "remote/stuck-folder/name"]],
      ["a direct read", "SIGKILL", 6, ["dd", "if=remote/stuck", "iflag=direct", "status=none"]],
    ] as const)(
      "frees %s that is ended by %s, and gives the fetch up",
      async (_, signal, piece, command) => {
        const before = mount.output.length;
        const [program, ...args] = command;
        const caller = spawn(program, args, { cwd: mount.mountPoint, stdio: "ignore" });
        await until(() => mount.output.slice(before).includes(`fetching ${piece}\n`));
        caller.kill(signal);
        await until(() => caller.exitCode !== null || caller.signalCode !== null);
        expect(caller.signalCode).toBe(signal);
        await until(() => mount.output.slice(before).includes(`gave up ${piece}\n`));
        await expectOthersServed();
      },
    );

    test("does not hold up a reader that is killed while the kernel reads ahead", async () => {
      const before = mount.output.length;
      const caller = spawn("cat", [mount.path("remote", "stuck")], { stdio: "ignore" });
      await until(() => mount.output.slice(before).includes("fetching 6\n"));
      caller.kill("SIGKILL");
      await until(() => caller.signalCode === "SIGKILL");
      await expectOthersServed();
    });

    test("is answered when the mount is taken down, so that callers and server can end", async () => {
      const before = mount.output.length;
      const caller = run("ls", mount.path("remote", "stuck-folder"));
      await until(() => mount.output.slice(before).includes("fetching 7\n"));
      mount.process.kill("SIGINT");
      await until(() => mount.output.includes("is in use"));
      await new Promise((resolve) => setTimeout(resolve, 300));
      mount.process.kill("SIGINT");
      expect(await mount.exited()).toBe(0);
      expect((await caller).status).not.toBe(0);
    });
  },
);
