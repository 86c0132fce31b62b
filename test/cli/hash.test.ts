import { execFileSync } from "node:child_process";
import { mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { HASH_ALGORITHMS } from "../../src/store/nix-hash.js";
import { noise } from "../support/bytes.js";
import { TestStore } from "../support/cli.js";
import { makeGeneratedTree } from "../support/generated-tree.js";
import { nixObstacle, RealNix } from "../support/real-nix.js";
import { temporaryFolder } from "../support/temp.js";

const folder = temporaryFolder();
const store = new TestStore();
const tree = join(folder, "tree");
makeGeneratedTree(tree, { bytes: true });
const file = join(folder, "file");
writeFileSync(file, noise(3_000_001));
const link = join(folder, "link");
symlinkSync("file", link);

describe("tvix-store hash", () => {
  test("path says the NAR hash that an import has", async () => {
    const [info] = JSON.parse(await store.output("import", "--json", tree));
    expect(await store.output("hash", "path", tree)).toBe(`${info.narHash}\n`);
  });

  test("prints a line per PATH, or JSON", async () => {
    const empty = join(folder, "empty");
    mkdirSync(empty);
    const line = "sha256-pQpattmS9VmO3ZIQUFn66az8GSmB4IvYhTTCFn6SUmo=\n";
    expect(await store.output("hash", "path", empty, empty)).toBe(`${line}${line}`);
    expect(
      JSON.parse(await store.output("hash", "file", "--json", "--base16", "/dev/null")),
    ).toEqual([
      {
        path: "/dev/null",
        hash: "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
      },
    ]);
  });

  test.each([
    [["path", "/no/such/thing"], 1, 'Cannot read "/no/such/thing": no such file or folder'],
    [["file", "/no/such/thing"], 1, 'Cannot read "/no/such/thing": ENOENT'],
    [["file", "/etc"], 1, 'Cannot read "/etc": EISDIR'],
    [["path", "/dev/null"], 1, "it is a character device"],
    [["path", "--base16", "--sri", "/etc"], 2, "Give either --base16 or --sri"],
    [["path", "--type", "sha384", "/etc"], 2, 'Given: "sha384"'],
    [["path"], 2, "Missing argument"],
    [[], 2, "Say what to hash"],
  ])("%j gives %i", async (args, status, message) => {
    const outcome = await store.run(["hash", ...args]);
    expect([outcome.status, outcome.stdout]).toEqual([status, ""]);
    expect(outcome.stderr).toContain(message);
  });

  test("refuses a tree with what no store can hold, naming it", async () => {
    const bad = join(folder, "bad");
    mkdirSync(bad);
    execFileSync("mkfifo", [join(bad, "fifo")]);
    const { status, stderr } = await store.run(["hash", "path", bad]);
    expect([status, stderr]).toEqual([1, expect.stringContaining(`"${bad}/fifo": it is a fifo`)]);
  });
});

describe.skipIf(nixObstacle !== undefined)("tvix-store hash beside nix hash:", () => {
  const nix = new RealNix();

  test.each(
    HASH_ALGORITHMS.flatMap((type) => [
      ["path", type, tree],
      ["path", type, file],
      ["path", type, link],
      ["file", type, file],
      ["file", type, link],
    ]),
  )("%s --type %s %s", async (what, type, path) => {
    const args = ["hash", what, "--type", type, path];
    expect(await store.output(...args)).toBe(await nix.output("nix", ...args));
  });

  test.each(["--base16", "--base32", "--base64", "--sri"])("%s", async (encoding) => {
    for (const what of ["path", "file"]) {
      const args = ["hash", what, encoding, file];
      expect(await store.output(...args)).toBe(await nix.output("nix", ...args));
    }
  });
});
