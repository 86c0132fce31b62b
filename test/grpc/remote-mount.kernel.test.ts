import { mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { kernelTestsObstacle, until } from "../fuse/support/fake-mount.js";
import { noise } from "../support/bytes.js";
import { outputOf, runProgram } from "../support/child.js";
import { TestStore } from "../support/cli.js";
import { addressOptions, CliDaemon } from "../support/cli-daemon.js";
import { CliMount } from "../support/cli-mount.js";
import { expectSameTree } from "../support/manifest.js";
import { temporaryFolder } from "../support/temp.js";
import { CountingProxy } from "./support/counting-proxy.js";

if (kernelTestsObstacle !== undefined) console.warn(`Kernel tests skipped: ${kernelTestsObstacle}`);

const LARGE_BYTES = 8_000_000;
/** What calls cost beside their content: frames, headers, settings, directories. */
const OVERHEAD_BYTES = 100_000;
const ABSENT = "00000000000000000000000000000000-absent";

function makeTree(): string {
  const tree = join(temporaryFolder(), "tree");
  mkdirSync(join(tree, "a", "b", "c"), { recursive: true });
  mkdirSync(join(tree, "empty"));
  for (let index = 0; index < 500; index++) writeFileSync(join(tree, "a", `${index}`), `${index}`);
  for (let index = 0; index < 4; index++) {
    writeFileSync(join(tree, "a", "b", `large-${index}`), noise(LARGE_BYTES, index + 1));
  }
  writeFileSync(join(tree, "a", "b", "c", "program"), "#!/bin/sh\necho ran\n", { mode: 0o755 });
  writeFileSync(join(tree, "nothing"), "");
  symlinkSync("a/b/c/program", join(tree, "link"));
  return tree;
}

function cat(path: string) {
  return runProgram("cat", [path]);
}

describe.skipIf(kernelTestsObstacle !== undefined)("A mount of a remote store", () => {
  const daemon = new CliDaemon();
  let tree: string;
  let storePath: string;
  let proxy: CountingProxy;

  beforeAll(async () => {
    tree = makeTree();
    storePath = await daemon.store.import(tree);
    await daemon.start();
    proxy = await CountingProxy.start(daemon.socket);
  });

  afterAll(() => {
    proxy.close();
    daemon[Symbol.dispose]();
  });

  test("shows the tree that was imported there", async () => {
    using mount = await CliMount.start(new TestStore(), ...daemon.options);
    expect(await expectSameTree(mount.path(storePath), tree)).toBeGreaterThan(500);
    expect(await outputOf(mount.path(storePath, "link"))).toBe("ran\n");
    expect(await mount.stop()).toBe(0);
  });

  test("fetches a file that is read and the folders on the way, once", async () => {
    const near = new TestStore();
    {
      using mount = await CliMount.start(near, ...addressOptions(proxy.address));
      const path = mount.path(storePath, "a", "b", "large-2");
      const before = proxy.receivedBytes;
      const { output } = await cat(path);
      expect(output.equals(noise(LARGE_BYTES, 3))).toBe(true);
      const cost = proxy.receivedBytes - before;
      expect(cost).toBeGreaterThan(LARGE_BYTES);
      expect(cost).toBeLessThan(LARGE_BYTES + OVERHEAD_BYTES);
      await cat(path);
      expect(proxy.receivedBytes - before).toBe(cost);
      expect(await mount.stop()).toBe(0);
    }
    const { connections } = proxy;
    using again = await CliMount.start(near, ...addressOptions(proxy.address));
    const { output } = await cat(again.path(storePath, "a", "b", "large-2"));
    expect(output.equals(noise(LARGE_BYTES, 3))).toBe(true);
    expect(proxy.connections).toBe(connections);
  });

  test("fetches a blob once, however many read it", async () => {
    using mount = await CliMount.start(new TestStore(), ...addressOptions(proxy.address));
    const before = proxy.receivedBytes;
    const path = mount.path(storePath, "a", "b", "large-1");
    const script = 'for i in 1 2 3 4 5 6 7 8; do tail -c 1000 "$0" | sha256sum & done; wait';
    const sums = (await outputOf("sh", "-c", script, path)).trimEnd().split("\n");
    expect(new Set(sums).size).toBe(1);
    expect(proxy.receivedBytes - before).toBeLessThan(LARGE_BYTES + OVERHEAD_BYTES);
  });

  test("tells absent from unreachable", async () => {
    using mount = await CliMount.start(new TestStore(), ...daemon.options);
    const wrongName = `${basename(storePath).slice(0, 32)}-other`;
    for (const name of [ABSENT, wrongName, "no store path"]) {
      const { stderr } = await cat(mount.path(name));
      expect(stderr).toContain("No such file or directory");
    }
    await daemon.kill();
    expect((await cat(mount.path(`1${ABSENT.slice(1)}`))).stderr).toContain("Input/output error");
    expect((await cat(mount.path("no store path"))).stderr).toContain("No such file");
    await daemon.start();
    const { stderr } = await cat(mount.path(`2${ABSENT.slice(1)}`));
    expect(stderr).toContain("No such file or directory");
  });

  test("sees what is imported there later", async () => {
    using mount = await CliMount.start(new TestStore(), ...daemon.options);
    const later = join(temporaryFolder(), "later");
    writeFileSync(later, "later\n");
    const expected = await new TestStore().import(later);
    expect((await cat(mount.path(expected))).status).toBe(1);
    await daemon.store.import(later);
    const script = 'for i in $(seq 50); do cat "$0" 2>/dev/null && exit; sleep 0.1; done; exit 1';
    expect(await outputOf("sh", "-c", script, mount.path(expected))).toBe("later\n");
  });

  test.each([
    ["auto", 2, "Operation not permitted"],
    ["yes", 0, ""],
  ])("lists the store paths there with --list-root=%s as it should", async (how, status, why) => {
    const options = [...daemon.options, `--list-root=${how}`];
    using mount = await CliMount.start(new TestStore(), ...options);
    const listed = await runProgram("ls", [mount.mountPoint]);
    expect(listed.status).toBe(status);
    expect(listed.stderr).toContain(why);
    if (status === 0) expect(listed.stdout.split("\n")).toContain(basename(storePath));
    expect(await expectSameTree(mount.path(storePath, "a", "b"), join(tree, "a", "b"))).toBe(7);
  });

  test("fails when the daemon is killed midway, and goes on when it is back", async () => {
    using mount = await CliMount.start(new TestStore(), ...addressOptions(proxy.address));
    const path = mount.path(storePath, "a", "b", "large-0");
    const halfBytes = proxy.receivedBytes + LARGE_BYTES / 2;
    proxy.holdAfterBytes = halfBytes;
    const reading = cat(path);
    await until(() => proxy.receivedBytes >= halfBytes);
    await daemon.kill();
    proxy.dropConnections();
    proxy.holdAfterBytes = Number.POSITIVE_INFINITY;
    const { status, stderr } = await reading;
    expect([status, stderr]).toEqual([1, expect.stringContaining("Input/output error")]);
    expect(mount.hasExited).toBe(false);
    await daemon.start();
    const { output } = await cat(path);
    expect(output.equals(noise(LARGE_BYTES, 1))).toBe(true);
  });

  test("takes no other engine than that which can wait", async () => {
    const options = ["mount", "--engine=fuse-native", ...daemon.options, temporaryFolder()];
    const { status, stderr } = await new TestStore().run(options);
    expect([status, stderr]).toEqual([2, expect.stringContaining("--engine fuse-native shows")]);
  });
});
