import { execFileSync } from "node:child_process";
import {
  chmodSync,
  existsSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { noise } from "../support/bytes.js";
import { runProgram } from "../support/child.js";
import { CLI, TestStore } from "../support/cli.js";
import { temporaryFolder } from "../support/temp.js";

const folder = temporaryFolder();

function newFolder(name = "tree"): string {
  const path = join(mkdtempSync(join(folder, "case-")), name);
  mkdirSync(path);
  return path;
}

describe("tvix-store import", () => {
  test("prints one store path per PATH, in the order of the arguments", async () => {
    const store = new TestStore();
    const tree = newFolder();
    const names = ["large", "small", "empty", "other"];
    writeFileSync(join(tree, "large"), noise(5_000_000));
    writeFileSync(join(tree, "small"), "x");
    mkdirSync(join(tree, "empty"));
    writeFileSync(join(tree, "other"), noise(100_000));
    const paths = names.map((name) => join(tree, name));
    const lines = (await store.output("import", ...paths)).trimEnd().split("\n");
    expect(lines.map((line) => line.replace(/^\/nix\/store\/[0-9a-z]{32}-/, ""))).toEqual(names);
    expect((await store.readBack()).sort()).toEqual(lines.sort());
  });

  test("gives the same path again, and stores nothing twice", async () => {
    const store = new TestStore();
    const tree = newFolder();
    writeFileSync(join(tree, "large"), noise(200_000));
    writeFileSync(join(tree, "small"), "x");
    const path = await store.import(tree);
    expect(await store.import(`${tree}/`)).toBe(path);
    expect(await store.list()).toHaveLength(1);
    expect(readdirSync(join(store.folder, "blobs"))).toHaveLength(1);
  });

  test("names a store path by --name, else by the last part of PATH, relative ones too", async () => {
    const store = new TestStore();
    const tree = newFolder("project");
    writeFileSync(join(tree, "a file"), "x");
    expect(await store.import(tree)).toMatch(/-project$/);
    const here = await store.run(["import", "."], { cwd: tree });
    expect(here.stdout).toMatch(/-project\n$/);
    expect(await store.import(join(tree, "a file"), "--name", "a-file")).toMatch(/-a-file$/);
    const refused = await store.run(["import", join(tree, "a file")]);
    expect(refused.status).toBe(2);
    expect(refused.stderr).toContain('character 1, " ", is not allowed; give "');
    expect(refused.stderr).toContain("another with --name");
  });

  test("takes PATHs that look like numbers or, after --, like options", async () => {
    const store = new TestStore();
    const tree = newFolder();
    writeFileSync(join(tree, "007"), "x");
    writeFileSync(join(tree, "1e3"), "y");
    writeFileSync(join(tree, "--json"), "z");
    const outcome = await store.run(["import", "007", "1e3", "--", "--json"], { cwd: tree });
    expect(outcome.stderr).toBe("");
    expect(outcome.stdout).toMatch(/^\S+-007\n\S+-1e3\n\S+---json\n$/);
  });

  test("does not follow PATH when it is a symlink", async () => {
    const store = new TestStore();
    const link = join(newFolder(), "link");
    symlinkSync("/etc", link);
    expect(await store.output("readlink", await store.import(link))).toBe("/etc\n");
  });

  test("prints what path-info knows with --json, and nothing else", async () => {
    const store = new TestStore();
    const tree = newFolder();
    const { stdout, stderr } = await store.run(["import", "--json", tree, "/etc/hostname"]);
    expect(stderr).toBe("");
    const results = JSON.parse(stdout) as { path: string }[];
    expect(results.map(({ path }) => path.slice(44))).toEqual(["tree", "hostname"]);
    const known = await store.output("path-info", "--json", ...results.map(({ path }) => path));
    expect(JSON.parse(known)).toEqual(results);
  });

  test("stores hard links as files", async () => {
    const store = new TestStore();
    const tree = newFolder();
    writeFileSync(join(tree, "one"), "x");
    linkSync(join(tree, "one"), join(tree, "two"));
    expect(await store.output("ls", "-l", await store.import(tree))).toMatch(
      /^-r--r--r-- +1 \.\/one\n-r--r--r-- +1 \.\/two\n$/,
    );
  });
});

describe("tvix-store import refuses, naming the path, and lists nothing,", () => {
  /** Imports `tree`, which must fail. What it said. */
  async function refusal(tree: string): Promise<string> {
    const store = new TestStore();
    const { status, stdout, stderr } = await store.run(["import", tree]);
    expect([status, stdout]).toEqual([1, ""]);
    expect(stderr).toMatch(/^tvix-store: Cannot read ".*\n$/);
    expect(await store.list()).toEqual([]);
    expect(readdirSync(join(store.folder, "tmp"))).toEqual([]);
    return stderr;
  }

  test("what does not exist", async () => {
    expect(await refusal(join(folder, "absent"))).toContain(
      `Cannot read "${folder}/absent": no such file or folder`,
    );
  });

  test.each([
    ["fifo", (path: string) => execFileSync("mkfifo", [path])],
    ["character device", (path: string) => execFileSync("mknod", [path, "c", "1", "3"])],
    ["block device", (path: string) => execFileSync("mknod", [path, "b", "7", "99"])],
  ])("a %s, alone or in a tree", async (kind, make) => {
    if (kind !== "fifo" && process.getuid?.() !== 0) return;
    const tree = newFolder();
    writeFileSync(join(tree, "first"), noise(100_000));
    mkdirSync(join(tree, "in"));
    make(join(tree, "in", "it"));
    const message = `Cannot read "${tree}/in/it": it is a ${kind}; a store holds`;
    expect(await refusal(tree)).toContain(message);
    expect(await refusal(join(tree, "in", "it"))).toContain(message);
  });

  test("a socket", async () => {
    const tree = newFolder();
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(join(tree, "it"), resolve));
    try {
      expect(await refusal(tree)).toContain(`"${tree}/it": it is a socket; a store holds`);
    } finally {
      server.close();
    }
  });

  test.each(["file", "folder"])("a %s that may not be read", async (kind) => {
    const tree = newFolder();
    const path = join(tree, "secret");
    if (kind === "file") writeFileSync(path, "x");
    else mkdirSync(path);
    chmodSync(path, 0);
    const message = `Cannot read "${path}": permission denied`;
    if (process.getuid?.() !== 0) {
      expect(await refusal(tree)).toContain(message);
      return;
    }
    // Root reads everything, unless it gives up that right.
    const store = new TestStore();
    const outcome = await runProgram(
      "setpriv",
      ["--bounding-set=-dac_override,-dac_read_search", process.execPath, CLI, "import", tree],
      { env: store.environment },
    );
    expect(outcome).toMatchObject({ status: 1, stdout: "" });
    expect(outcome.stderr).toContain(message);
    expect(await store.list()).toEqual([]);
  });

  test("a later PATH after an earlier one was stored", async () => {
    const store = new TestStore();
    const outcome = await store.run([
      "import",
      "/etc/hostname",
      join(folder, "absent"),
      newFolder(),
    ]);
    expect(outcome.status).toBe(1);
    expect(outcome.stdout).toMatch(/^\S+-hostname\n$/);
    expect(await store.readBack()).toHaveLength(1);
    expect(existsSync(join(store.folder, "tmp"))).toBe(true);
  });
});
