import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { createInterface } from "node:readline";
import { describe, expect, test } from "vitest";
import { kernelTestsObstacle } from "../fuse/support/fake-mount.js";
import { noise } from "../support/bytes.js";
import { outputOf } from "../support/child.js";
import { TestStore } from "../support/cli.js";
import { CliMount } from "../support/cli-mount.js";
import { PYTHON } from "../support/python.js";
import { temporaryFolder } from "../support/temp.js";

if (kernelTestsObstacle !== undefined) console.warn(`Kernel tests skipped: ${kernelTestsObstacle}`);

/**
 * Asks for a path and for a listing of its folder until each has it. Prints "absent" after the first
 * look, which must find nothing, then what was found after how many seconds.
 */
const POLL = `
import errno, os, sys, time
path, patience = sys.argv[1], float(sys.argv[2])
folder, name = os.path.split(path)

def known():
    try:
        os.lstat(path)
        return True
    except OSError as e:
        if e.errno != errno.ENOENT: raise
        return False

def listed():
    return name in os.listdir(folder)

assert not known() and not listed()
print("absent", flush=True)
sys.stdin.readline()
started = time.monotonic()
waiting = {"looked up": known, "listed": listed}
while waiting:
    for what in [what for what, seen in waiting.items() if seen()]:
        del waiting[what]
        print(what, "after", round(time.monotonic() - started, 2), flush=True)
    if time.monotonic() - started > patience: sys.exit("still waiting for: " + ", ".join(waiting))
    time.sleep(0.05)
`;

const PATIENCE_SECONDS = 20;

function startPoll(path: string) {
  const child = spawn(PYTHON, ["-c", POLL, path, `${PATIENCE_SECONDS}`], {
    stdio: ["pipe", "pipe", "inherit"],
  });
  const lines = createInterface(child.stdout)[Symbol.asyncIterator]();
  return {
    /** The next line it prints; "" when there is none any more. */
    line: async (): Promise<string> => (await lines.next()).value ?? "",
    go: () => child.stdin.end("\n"),
    status: once(child, "close").then(([status]) => status as number | null),
  };
}

describe.skipIf(kernelTestsObstacle !== undefined).each(["kernel", "fuse-native"])(
  "A path that another process imports, with --engine=%s,",
  (engine) => {
    test("is found where it was not before, and listed", async () => {
      const tree = join(temporaryFolder(), "tree");
      mkdirSync(tree);
      writeFileSync(join(tree, "file"), noise(100_000));
      // Known beforehand, so that it can be asked for while it is not there.
      const path = await new TestStore().import(tree);
      const store = new TestStore();
      using mount = await CliMount.start(store, `--engine=${engine}`);
      expect(await outputOf("ls", mount.mountPoint)).toBe("");

      const mounted = mount.path(path);
      const poll = startPoll(mounted);
      expect(await poll.line()).toBe("absent");
      expect(await store.import(tree)).toBe(path);
      poll.go();
      const seen = [await poll.line(), await poll.line()];
      console.log(`${engine}: ${seen.join(" s, ")} s after the import had ended`);
      expect(seen.map((line) => line.split(" after ")[0]).sort()).toEqual(["listed", "looked up"]);
      expect(await poll.status).toBe(0);

      expect(await outputOf("ls", mount.mountPoint)).toBe(`${basename(path)}\n`);
      await outputOf("cmp", join(mounted, "file"), join(tree, "file"));
      expect(await mount.stop()).toBe(0);
    });
  },
);
