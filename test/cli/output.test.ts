import { execFileSync } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import { noise } from "../support/bytes.js";
import { type Outcome, runProgram } from "../support/child.js";
import { CLI, sriOf, TestStore } from "../support/cli.js";
import { temporaryFolder } from "../support/temp.js";

const store = new TestStore();
let path: string;

beforeAll(async () => {
  const tree = join(temporaryFolder(), "tree");
  mkdirSync(tree);
  writeFileSync(join(tree, "large"), noise(3_000_000));
  for (let index = 0; index < 5000; index++) writeFileSync(join(tree, `file ${index}`), "x");
  path = await store.import(tree);
});

/** Runs a line of bash in which `$tvix` is the command line, `$path` the store path, `$source` a folder. */
function shell(line: string): Promise<Outcome> {
  const variables = { tvix: `${process.execPath} ${CLI}`, source: dirname(CLI), path };
  return runProgram("bash", ["-c", line], { env: { ...store.environment, ...variables } });
}

describe("The output of a command", () => {
  test.each(["nar dump $path", "cat $path/large", "ls -lR $path", "ls --json -R $path"])(
    "may be closed early without a word: %s",
    async (command) => {
      const { status, output, stderr } = await shell(`$tvix ${command} | head -c 10`);
      expect([status, output.length, stderr]).toEqual([0, 10, ""]);
    },
  );

  test.each(["nar dump $path", "cat $path/large", "path-info $path", "ls --json $path"])(
    "that cannot be written is an error: %s",
    async (command) => {
      const { status, stderr } = await shell(`$tvix ${command} >/dev/full`);
      expect(status).toBe(1);
      expect(stderr).toMatch(/^tvix-store: Cannot write to stdout: .*no space left.*\n$/);
    },
  );

  test("waits for a slow reader, and all of it arrives", async () => {
    const { output } = await shell(
      "$tvix nar dump $path | (sleep 0.5; head -c 100000; sleep 0.5; cat)",
    );
    const [info] = await store.list();
    expect(sriOf(output)).toBe(info?.narHash);
  });

  test("is no reason to wait when it goes into a named pipe that nobody reads any more", async () => {
    const pipe = join(temporaryFolder(), "pipe");
    execFileSync("mkfifo", [pipe]);
    // The reader leaves before the command begins.
    const { stderr } = await shell(
      `exec 3<>${pipe} 4>${pipe}; exec 3>&-; $tvix path-info $path >&4; echo "status $?" >&2`,
    );
    expect(stderr).toBe("status 1\n");
  });

  test("of nar dump does not go to a terminal", async () => {
    const { stdout } = await shell('script -qec "$tvix nar dump $path" /dev/null; echo $?');
    expect(stdout).toContain("A NAR is not for a terminal");
    expect(stdout).toMatch(/\b2\r?\n$/);
  });
});

describe("On a terminal", () => {
  test("import shows its progress, bytes and files, and prints the store path after it", async () => {
    const { stdout } = await shell('script -qec "$tvix import --name again $source" /dev/null');
    expect(stdout).toMatch(/again \[.*\] .* of .*, \d+ of \S+ files/);
    expect(stdout).toMatch(/\/nix\/store\/[0-9a-z]{32}-again\r?\n/);
  });

  test("names are shown in a form that cannot move the cursor", async () => {
    const tree = join(temporaryFolder(), "evil");
    mkdirSync(tree);
    writeFileSync(join(tree, "\u001b[2J"), "");
    const evil = await store.import(tree);
    const { stdout } = await shell(`script -qec "$tvix ls ${evil}" /dev/null`);
    expect(stdout).toContain('"./\\x1b[2J"');
    expect(await store.output("ls", evil)).toBe("./\u001b[2J\n");
  });
});

describe("The completion script", () => {
  test("is one that bash accepts", async () => {
    const script = await store.output("completion");
    execFileSync("bash", ["-n"], { input: script });
    expect(script).toContain("complete ");
  });

  test("knows commands and options", async () => {
    const complete = async (...words: string[]) =>
      (await store.output("--get-yargs-completions", "tvix-store", ...words)).split("\n");
    expect(await complete("")).toEqual(expect.arrayContaining(["import", "mount", "path-info"]));
    expect(await complete("import", "--")).toEqual(expect.arrayContaining(["--name", "--json"]));
  });
});
