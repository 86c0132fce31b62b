import { chmodSync, mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import { noise } from "../support/bytes.js";
import { TestStore } from "../support/cli.js";
import { nixObstacle, RealNix } from "../support/real-nix.js";
import { temporaryFolder } from "../support/temp.js";

if (nixObstacle !== undefined) console.warn(`Comparison with Nix skipped: ${nixObstacle}`);

const HASH = "00000000000000000000000000000000";
const store = new TestStore();
const tree = join(temporaryFolder(), "tree");
const contents = { small: Buffer.from("one\ntwo\n"), large: noise(300_000) };
let path: string;

beforeAll(async () => {
  mkdirSync(join(tree, "folder", "empty"), { recursive: true });
  mkdirSync(join(tree, "folder", "deeper"));
  for (const [name, content] of Object.entries(contents)) writeFileSync(join(tree, name), content);
  writeFileSync(join(tree, "folder", "with space"), "x");
  writeFileSync(join(tree, "folder", "two\nlines"), "x");
  writeFileSync(join(tree, "folder", "größe"), "x");
  writeFileSync(join(tree, "folder", "deeper", "program"), "#!/bin/sh\n");
  chmodSync(join(tree, "folder", "deeper", "program"), 0o755);
  symlinkSync("../small", join(tree, "folder", "link"));
  symlinkSync("/no where/at all", join(tree, "dangling"));
  path = await store.import(tree);
});

describe("Looking into a store path", () => {
  test("takes the whole path, its last part, or the hash", async () => {
    const listing = await store.output("ls", "-l", "-R", path);
    expect(listing).toContain("./folder/deeper/program");
    for (const form of [path, `${path}/`, basename(path), basename(path).slice(0, 32)]) {
      const printed = await Promise.all([
        store.output("ls", "-l", "-R", form),
        store.output("path-info", form),
        store.output("cat", `${form}/small`),
        store.output("readlink", `${form}/folder/link`),
      ]);
      expect(printed).toEqual([listing, `${path}\n`, "one\ntwo\n", "../small\n"]);
    }
  });

  test("with cat gives the bytes, small and large", async () => {
    for (const [name, content] of Object.entries(contents)) {
      const { output, stderr } = await store.run(["cat", `${path}/${name}`]);
      expect(stderr).toBe("");
      expect(output.equals(content)).toBe(true);
    }
  });

  test("with ls lists folders, files and links, one level or all", async () => {
    const names = (await store.output("ls", path)).trimEnd().split("\n");
    expect(names).toEqual(["./dangling", "./folder", "./large", "./small"]);
    expect(await store.output("ls", `${path}/folder/empty`)).toBe("");
    expect(await store.output("ls", `${path}/folder/deeper/program`)).toBe("program\n");
    expect(await store.output("ls", "-d", path)).toBe(".\n");
  });

  test("with ls --json describes one level, or all of them with -R", async () => {
    const one = JSON.parse(await store.output("ls", "--json", `${path}/folder`));
    expect(Object.keys(one.entries).sort()).toEqual(
      ["deeper", "empty", "größe", "link", "two\nlines", "with space"].sort(),
    );
    expect(one.entries.deeper).toEqual({ type: "directory" });
    expect(one.entries.link).toEqual({ type: "symlink", target: "../small" });
    const all = JSON.parse(await store.output("ls", "--json", "-R", path));
    expect(all.entries.folder.entries.deeper.entries.program).toEqual({
      type: "regular",
      size: 10,
      executable: true,
    });
    expect(JSON.parse(await store.output("ls", "--json", `${path}/small`))).toEqual({
      type: "regular",
      size: 8,
    });
  });

  test("with nar dump takes a part of a path as well", async () => {
    const whole = await store.import(join(tree, "folder"));
    const part = await store.narDump(`${path}/folder`);
    expect(part.equals(await store.narDump(whole))).toBe(true);
  });
});

describe.skipIf(nixObstacle !== undefined)("Looking into a store path agrees with Nix", () => {
  let nix: RealNix;
  beforeAll(async () => {
    nix = new RealNix();
    expect(await nix.add(tree)).toBe(path);
  });

  test.each([["-l", "-R"], ["-R"], ["-l"], [], ["-d", "-l"]])("in ls %s %s", async (...flags) => {
    for (const below of ["", "/folder", "/small", "/folder/link"]) {
      const [ours, theirs] = await Promise.all([
        store.output("ls", ...flags, path + below),
        nix.output("nix", "store", "ls", ...flags, path + below),
      ]);
      expect(ours).toBe(theirs);
    }
  });

  test("in ls --json -R", async () => {
    const expected = await nix.output("nix", "store", "ls", "--json", "-R", path);
    expect(JSON.parse(await store.output("ls", "--json", "-R", path))).toEqual(
      JSON.parse(expected),
    );
  });

  test("in cat", async () => {
    const expected = await nix.output("nix", "store", "cat", `${path}/small`);
    expect(await store.output("cat", `${path}/small`)).toBe(expected);
  });

  test.each([[], ["-s"], ["-S"], ["-s", "-S"], ["-sSh"], ["-r", "-s"], ["--sigs"]])(
    "in path-info %s %s",
    async (...flags) => {
      const expected = await nix.output("nix", "path-info", ...flags, path);
      expect(await store.output("path-info", ...flags, path)).toBe(expected);
    },
  );

  test("in path-info --json, but for the time of registration", async () => {
    const [expected] = JSON.parse(await nix.output("nix", "path-info", "--json", "-S", path));
    delete expected.registrationTime;
    expect(JSON.parse(await store.output("path-info", "--json", "-S", path))).toEqual([expected]);
  });

  test("in nar dump", async () => {
    const ours = await store.narDump(path);
    expect(ours.equals(await nix.dump(tree))).toBe(true);
  });
});

describe("What is not there is said on stderr, with exit code 1 and nothing on stdout,", () => {
  const absent = `/nix/store/${HASH}-absent`;

  test.each([
    ["ls"],
    ["ls", "--json"],
    ["cat"],
    ["readlink"],
    ["path-info"],
    ["path-info", "--json"],
    ["nar", "dump"],
  ])("by %s %s", async (...command) => {
    const { status, stdout, stderr } = await store.run([...command, absent]);
    expect([status, stdout]).toEqual([1, ""]);
    expect(stderr).toBe(`tvix-store: ${absent} is not in the store\n`);
  });

  test.each([
    ["the hash alone", HASH, `/nix/store/${HASH} is not in the store`],
    ["a name below a store path", "PATH/no/such", "PATH/no does not exist"],
    ["something below a file", "PATH/small/x", "PATH/small is a file, nothing is below it"],
    [
      "something below a symlink",
      "PATH/folder/link/x",
      'PATH/folder/link is a symlink to "../small", nothing is below it',
    ],
    ["another name for a known hash", "PATH-2", "PATH-2 is not in the store, but PATH is"],
  ])("for %s", async (_title, argument, message) => {
    const { status, stdout, stderr } = await store.run(["ls", argument.replace("PATH", path)]);
    expect([status, stdout]).toEqual([1, ""]);
    expect(stderr).toBe(`tvix-store: ${message.replaceAll("PATH", path)}\n`);
  });

  test("when one of several paths is absent", async () => {
    const { status, stdout, stderr } = await store.run(["path-info", path, absent]);
    expect([status, stdout]).toEqual([1, ""]);
    expect(stderr).toContain(absent);
  });

  test.each([
    ["cat", "folder", "is a folder, not a file"],
    ["cat", "dangling", 'is a symlink to "/no where/at all", not a file'],
    ["readlink", "small", "is a file, not a symlink"],
  ])("by %s of the wrong kind: %s", async (command, below, message) => {
    const { status, stdout, stderr } = await store.run([command, `${path}/${below}`]);
    expect([status, stdout]).toEqual([1, ""]);
    expect(stderr).toBe(`tvix-store: ${path}/${below} ${message}\n`);
  });

  test("when there is no store at all", async () => {
    const none = new TestStore(join(temporaryFolder(), "none"));
    for (const args of [
      ["ls", HASH],
      ["cat", HASH],
      ["path-info", "--all"],
    ]) {
      const { status, stdout, stderr } = await none.run(args);
      expect([status, stdout, stderr]).toEqual([
        1,
        "",
        `tvix-store: There is no store at ${none.folder}\n`,
      ]);
    }
  });
});
