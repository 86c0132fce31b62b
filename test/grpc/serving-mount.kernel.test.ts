import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { kernelTestsObstacle } from "../fuse/support/fake-mount.js";
import { noise } from "../support/bytes.js";
import { outputOf, runProgram } from "../support/child.js";
import { TestStore } from "../support/cli.js";
import { addressOptions, CliDaemon } from "../support/cli-daemon.js";
import { CliMount } from "../support/cli-mount.js";
import { temporaryFolder } from "../support/temp.js";

if (kernelTestsObstacle !== undefined) console.warn(`Kernel tests skipped: ${kernelTestsObstacle}`);

function newFile(name: string, content: string | Buffer): string {
  const path = join(temporaryFolder(), name);
  writeFileSync(path, content);
  return path;
}

describe.skipIf(kernelTestsObstacle !== undefined)("A mount that listens", () => {
  test("takes imports of other processes and shows them", async () => {
    const socket = join(temporaryFolder(), "socket");
    using mount = await CliMount.start(new TestStore(), "--listen", `unix:${socket}`);
    const options = addressOptions(`grpc+unix://${socket}`);
    const importer = new TestStore();
    const storePath = (
      await importer.output("import", ...options, newFile("tree", "imported\n"))
    ).trimEnd();
    expect(await importer.output("cat", ...options, storePath)).toBe("imported\n");
    const script = 'for i in $(seq 50); do cat "$0" 2>/dev/null && exit; sleep 0.1; done; exit 1';
    expect(await outputOf("sh", "-c", script, mount.path(storePath))).toBe("imported\n");
    expect(await mount.stop()).toBe(0);
  });

  test("hands on what it fetched from a remote store, when that is gone, too", async () => {
    using daemon = new CliDaemon();
    const content = noise(3_000_000, 4);
    const storePath = await daemon.store.import(newFile("large", content));
    await daemon.start();
    const socket = join(temporaryFolder(), "socket");
    using mount = await CliMount.start(
      new TestStore(),
      ...daemon.options,
      "--listen",
      `unix:${socket}`,
    );
    const options = addressOptions(`grpc+unix://${socket}`);
    const reader = new TestStore();
    const first = await reader.succeed(["cat", ...options, storePath]);
    expect(content.equals(first.output)).toBe(true);
    await daemon.kill();
    const second = await reader.succeed(["cat", ...options, storePath]);
    expect(content.equals(second.output)).toBe(true);
    const read = await runProgram("cat", [mount.path(storePath)]);
    expect(content.equals(read.output)).toBe(true);
  });

  test("is as careful as the daemon with who may reach it", async () => {
    const run = (...options: string[]) =>
      new TestStore().run(["mount", temporaryFolder(), ...options]);
    expect(await run("--listen", "0.0.0.0:0")).toMatchObject({
      status: 2,
      stderr: expect.stringContaining("Other machines can reach"),
    });
    expect(await run("--metrics", "127.0.0.1:0")).toMatchObject({
      status: 2,
      stderr: expect.stringContaining("give --listen"),
    });
  });
});
