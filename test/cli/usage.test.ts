import { existsSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { TestStore } from "../support/cli.js";

const HASH = "00000000000000000000000000000000";
const COMMANDS = [
  "import",
  "mount",
  "ls",
  "cat",
  "readlink",
  "path-info",
  "nar dump",
  "nar import",
];
/** Those that touch no store. */
const STORELESS = ["hash path", "hash file", "key generate", "key public"];

describe("Wrong usage exits with 2, says why on stderr, and makes no store", () => {
  const store = new TestStore();
  const invalid = 'Invalid store path "x"';

  test.each<[command: string, message: string]>([
    ["", "Say what to do"],
    ["frobnicate", "Unknown argument: frobnicate"],
    ["prefetch -", 'Invalid store path "-"'],
    ["nar", "Say what to do with a NAR: tvix-store nar dump|restore|import|ls"],
    ["nar restore", "Missing argument: tvix-store nar restore <dest>"],
    ["nar ls", "Missing argument: tvix-store nar ls <file>"],
    ["mount --list-root somewhere", "Missing argument: tvix-store mount <dest>"],
    ["nar import --name a/b", 'Invalid store path name "a/b"'],
    ["nar frobnicate", "Unknown argument: frobnicate"],
    ["path-info", "Give store paths or --all"],
    [`path-info --all ${HASH}`, "Give store paths or --all"],
    [`path-info ${HASH}/bin`, "names something below a store path"],
    ["path-info x", invalid],
    ["nar dump x", invalid],
    ["ls x", invalid],
    ["ls /nix/store", 'Invalid store path "/nix/store": it names nothing in the store'],
    ["ls /nix/store/", "it names nothing in the store"],
    ["ls /etc/passwd", "it is not in /nix/store"],
    [`ls ${HASH}/..`, '".."'],
    [`ls ${HASH.replace("0", "e")}`, '"e"'],
    ["cat x", invalid],
    ["readlink x", invalid],
    [`ls ${HASH} ${HASH}`, `Unknown argument: ${HASH}`],
    [`ls ${HASH} --lnog`, "Unknown argument: lnog"],
    [`ls ${HASH} --store-dir=`, "--store-dir is empty"],
    [`ls ${HASH} --store-dir`, "Not enough arguments following: store-dir"],
    [`ls ${HASH} --log-level loud`, 'Given: "loud"'],
    ["import --name a /etc/hostname /etc/passwd", "--name is for a single PATH"],
    ["import --name a/b /etc/hostname", 'Invalid store path name "a/b"'],
    ["import /", 'Invalid store path name "": it is empty; give "/" another with --name'],
    ["import /etc/hostname --frobnicate", "Unknown argument: frobnicate"],
    [`ls ${HASH} --blob-service-addr nonsense`, 'Invalid address "nonsense"'],
    [`ls ${HASH} --directory-service-addr ftp://host/x`, "Invalid address"],
    [`ls ${HASH} --path-info-service-addr s3://bucket`, "Invalid address"],
    [`mount --list-root=maybe ${HASH}`, 'Given: "maybe"'],
    ...[...COMMANDS, ...STORELESS]
      .filter((each) => !["path-info", "nar import", "key public"].includes(each))
      .map((each): [string, string] => [each, `Missing argument: tvix-store ${each} <`]),
  ])("tvix-store %s", async (command, message) => {
    const { status, stdout, stderr } = await store.run(command.split(" ").filter(Boolean));
    expect([status, stdout]).toEqual([2, ""]);
    expect(stderr).toMatch(/^tvix-store: /);
    expect(stderr).toContain(message);
    expect(stderr).toMatch(/\nTry tvix-store( [a-z-]+)? --help\n$/);
    expect(existsSync(store.folder)).toBe(false);
  });

  test.each([
    ["TVIX_LOG_LEVEL", "loud", "expected one of trace, debug, info, warn, error"],
    ["TVIX_JSON", "perhaps", "expected yes or no"],
    ["BLOB_SERVICE_ADDR", "nonsense", "Invalid address"],
  ])("%s=%s", async (name, value, message) => {
    const outcome = await store.run(["ls", HASH], { env: { [name]: value } });
    expect(outcome).toMatchObject({ status: 2, stdout: "" });
    expect(outcome.stderr).toContain(message);
  });
});

describe("An argument", () => {
  const store = new TestStore();

  test.each([
    ["import", ""],
    ["mount", ""],
    ["hash", "path", ""],
    ["import", "--", ""],
  ])("that is empty is no path: %s %s", async (...args) => {
    const { status, stdout, stderr } = await store.run(args);
    expect([status, stdout]).toEqual([2, ""]);
    expect(stderr).toMatch(/^tvix-store: An argument is empty\n/);
  });

  test.each(["import", "hash path", "hash file"])(
    "that is a dash is not lost: %s -",
    async (command) => {
      const { status, stdout, stderr } = await store.run([...command.split(" "), "-"]);
      expect([status, stdout]).toEqual([1, ""]);
      expect(stderr).toMatch(/-": .*no such file/);
    },
  );
});

describe("Help", () => {
  const store = new TestStore();

  test.each(COMMANDS)("of %s shows its options, an example and the exit codes", async (command) => {
    const help = await store.output(...command.split(" "), "--help");
    expect(help).toContain(`tvix-store ${command} `);
    expect(help).toContain("--store-dir");
    expect(help).toContain("[env: TVIX_STORE_DIR]");
    expect(help).toMatch(/Examples:\n {2}tvix-store /);
    expect(help).toMatch(/Exit codes: 0 done, 1 failed, 2 wrong usage\n$/);
    expect(Math.max(...help.split("\n").map((line) => line.length))).toBeLessThanOrEqual(100);
  });

  test.each(STORELESS)("of %s shows its options, an example and exit codes", async (command) => {
    const help = await store.output(...command.split(" "), "--help");
    expect(help).toContain(`tvix-store ${command}`);
    expect(help).toContain("[env: TVIX_JSON]");
    expect(help).not.toContain("--store-dir");
    expect(help).toMatch(/Examples:\n {2}tvix-store /);
    expect(help).toMatch(/Exit codes: 0 done, 1 failed, 2 wrong usage\n$/);
  });

  test("lists every command", async () => {
    const help = await store.output("--help");
    for (const command of [
      ...[...COMMANDS, ...STORELESS].map((each) => each.split(" ")[0]),
      "completion",
    ]) {
      expect(help).toMatch(new RegExp(`^ {2}tvix-store ${command} .*\\S`, "m"));
    }
    expect(await store.output("nar", "--help")).toContain("tvix-store nar dump");
  });

  test("is in English wherever it is asked for", async () => {
    const { stdout } = await store.run(["ls", "--help"], { env: { LC_ALL: "de_DE.UTF-8" } });
    expect(stdout).toContain("Options:");
  });

  test("gives way to the version with --version", async () => {
    expect(await store.output("--version")).toMatch(/^\d+\.\d+\.\d+\n$/);
  });
});
