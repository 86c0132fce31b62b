import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { noise } from "../support/bytes.js";
import { TestStore } from "../support/cli.js";
import { CliDaemon } from "../support/cli-daemon.js";
import { temporaryFolder } from "../support/temp.js";

const LARGE = noise(5_000_000, 1);

describe("Commands against a daemon", () => {
  const daemon = new CliDaemon();
  /** Never made: everything is at the daemon. */
  const here = new TestStore();
  const local = new TestStore();
  let tree: string;
  let storePath: string;

  beforeAll(async () => {
    tree = join(temporaryFolder(), "tree");
    mkdirSync(join(tree, "sub", "empty"), { recursive: true });
    for (let index = 0; index < 300; index++) writeFileSync(join(tree, `f${index}`), `${index}`);
    writeFileSync(join(tree, "sub", "large"), LARGE);
    await daemon.start();
    storePath = (await here.output("import", ...daemon.options, tree)).trimEnd();
  });

  afterAll(() => daemon[Symbol.dispose]());

  test("import gives the store path that a local import gives", async () => {
    expect(storePath).toBe(await local.import(tree));
  });

  test.each([
    ["ls", "-R", "-l"],
    ["ls", "-R", "--json"],
    ["path-info", "--json"],
  ])("%s %s %s shows what a local store shows", async (command, ...options) => {
    const remote = await here.output(command, ...options, ...daemon.options, storePath);
    expect(remote).toBe(await local.output(command, ...options, storePath));
  });

  test("path-info --all lists what is there", async () => {
    expect(await here.output("path-info", "--all", ...daemon.options)).toBe(`${storePath}\n`);
  });

  test("cat and nar dump give the bytes", async () => {
    const cat = await here.succeed(["cat", ...daemon.options, `${storePath}/sub/large`]);
    expect(LARGE.equals(cat.output)).toBe(true);
    const { output } = await here.succeed(["nar", "dump", ...daemon.options, storePath]);
    expect(output.equals(await local.narDump(storePath))).toBe(true);
  });

  test("what is absent is said to be absent", async () => {
    const { status, stderr } = await here.run(["ls", ...daemon.options, "0".repeat(32)]);
    expect([status, stderr]).toEqual([1, expect.stringContaining("is not in the store")]);
  });

  test("what cannot be reached is not absent", async () => {
    const gone = new CliDaemon();
    const { status, stderr } = await here.run(["ls", ...gone.options, storePath]);
    expect(status).toBe(1);
    expect(stderr).toContain(`PathInfoService.Get at ${gone.address} failed: `);
    expect(stderr).not.toContain("is not in the store");
  });
});
