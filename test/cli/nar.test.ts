import { createHash } from "node:crypto";
import { chmodSync, existsSync, mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { noise } from "../support/bytes.js";
import { runProgram } from "../support/child.js";
import { CLI, TestStore } from "../support/cli.js";
import { makeGeneratedTree } from "../support/generated-tree.js";
import { expectSameTree } from "../support/manifest.js";
import { nixObstacle, RealNix } from "../support/real-nix.js";
import { temporaryFolder } from "../support/temp.js";

const folder = temporaryFolder();
const store = new TestStore();

/** Runs a command line of sh in which `$tvix` is ours. */
function shell(line: string, ...args: string[]) {
  return runProgram("sh", ["-c", `tvix="${process.execPath} ${CLI}"; ${line}`, "sh", ...args], {
    env: store.environment,
  });
}

const tree = join(folder, "tree");
mkdirSync(join(tree, "bin"), { recursive: true });
writeFileSync(join(tree, "bin", "run"), "#!/bin/sh\n");
chmodSync(join(tree, "bin", "run"), 0o755);
writeFileSync(join(tree, "__proto__"), "a name like any other");
symlinkSync("bin/run", join(tree, "link"));

const nar = join(folder, "tree.nar");

describe("tvix-store nar", () => {
  test("import gives a NAR the store path that importing its tree gives", async () => {
    const storePath = await store.import(tree);
    writeFileSync(nar, await store.narDump(storePath));
    const other = new TestStore();
    const importing = '$tvix nar import --name tree --store-dir "$2"';
    for (const line of [`${importing} < "$1"`, `cat "$1" | ${importing}`]) {
      const outcome = await shell(line, nar, other.folder);
      expect(outcome).toMatchObject({ status: 0, stdout: `${storePath}\n`, stderr: "" });
    }
    expect(await other.readBack()).toEqual([storePath]);
    const json = await shell('$tvix nar import --json < "$1"', nar);
    expect(JSON.parse(json.stdout)).toMatchObject([{ path: expect.stringMatching(/-source$/) }]);
  });

  test("restore unpacks what dump gave, to a path that is not there yet", async () => {
    const copy = join(folder, "copy");
    expect(await shell('$tvix nar restore "$1" < "$2"', copy, nar)).toMatchObject({
      status: 0,
      stdout: "",
      stderr: "",
    });
    await expectSameTree(copy, tree);
    const again = await shell('$tvix nar restore "$1" < "$2"', copy, nar);
    expect(again).toMatchObject({
      status: 1,
      stderr: `tvix-store: Cannot restore "${copy}": it exists already\n`,
    });
  });

  test("restore reads files that are many times as long as its memory", async () => {
    const [source, copy] = [join(folder, "many"), join(folder, "many copied")];
    mkdirSync(source);
    // Odd sizes, so that the ends of its reads cut names, lengths and contents.
    for (let number = 0; number < 2000; number++) {
      writeFileSync(join(source, `file ${number}`), noise(1 + ((number * 7919) % 9973), number));
    }
    writeFileSync(join(source, "large"), noise(9_000_001, 1));
    const large = join(folder, "many.nar");
    writeFileSync(large, await store.narDump(await store.import(source)));
    expect(await shell('$tvix nar restore "$1" < "$2"', copy, large)).toMatchObject({ status: 0 });
    await expectSameTree(copy, source);
  });

  test("says where a broken NAR is broken, and leaves nothing", async () => {
    const path = join(folder, "broken");
    const emptyStore = new TestStore();
    const cut = 'head -c 300 "$1"';
    const message = "tvix-store: Invalid NAR: at byte 300: the input ends within the NAR\n";
    const restored = await shell(`${cut} | $tvix nar restore "$2"`, nar, path);
    expect(restored).toMatchObject({ status: 1, stdout: "", stderr: message });
    expect(existsSync(path)).toBe(false);
    const imported = await shell(
      `${cut} | $tvix nar import --store-dir "$2"`,
      nar,
      emptyStore.folder,
    );
    expect(imported).toMatchObject({ status: 1, stdout: "", stderr: message });
    expect(await emptyStore.list()).toEqual([]);
    const listed = await shell(`${cut} | $tvix nar ls - --json`, nar);
    expect(listed).toMatchObject({ status: 1, stdout: "", stderr: message });
    const absent = await shell('$tvix nar ls "$1"', join(folder, "absent"));
    expect(absent).toMatchObject({ status: 1, stderr: expect.stringContaining("no such file") });
  });

  test("ls lists for people, and for programs with offsets", async () => {
    const lines = await store.output("nar", "ls", nar);
    expect(lines).toBe("./__proto__\n./bin\n./bin/run\n./link\n");
    expect(await store.output("nar", "ls", "-l", nar)).toContain("./link -> bin/run\n");
    const listed = await shell('$tvix nar ls - --json < "$1"', nar);
    const { version, root } = JSON.parse(listed.stdout);
    expect(version).toBe(1);
    const run = root.entries.bin.entries.run;
    expect(run).toMatchObject({ type: "regular", size: 10, executable: true });
    expect(root.entries.link).toEqual({ type: "symlink", target: "bin/run" });
    expect(Object.keys(root.entries)).toContain("__proto__");
    const dumped = await store.narDump(await store.import(tree));
    expect(String(dumped.subarray(run.narOffset, run.narOffset + 10))).toBe("#!/bin/sh\n");
  });
});

describe.skipIf(nixObstacle !== undefined)("tvix-store nar beside Nix", () => {
  test("agrees on the generated tree: dump, restore both ways, and listing", async () => {
    const nix = new RealNix();
    const generated = join(folder, "generated");
    makeGeneratedTree(generated, { bytes: true });
    const theirs = await nix.dump(generated);
    const ours = await store.narDump(await store.import(generated));
    expect(createHash("sha256").update(ours).digest("hex")).toBe(
      createHash("sha256").update(theirs).digest("hex"),
    );
    const narFile = join(folder, "generated.nar");
    writeFileSync(narFile, theirs);
    const [byUs, byNix] = [join(folder, "by-us"), join(folder, "by-nix")];
    expect(await shell('$tvix nar restore "$1" < "$2"', byUs, narFile)).toMatchObject({
      status: 0,
      stderr: "",
    });
    await nix.restore(ours, byNix);
    await expectSameTree(byUs, generated);
    await expectSameTree(byNix, generated);
  }, 600_000);

  test("agrees on listings", async () => {
    const nix = new RealNix();
    const theirs = JSON.parse(await nix.output("nix", "nar", "ls", "--json", "-R", nar, "/"));
    const { root } = JSON.parse(await store.output("nar", "ls", "--json", nar));
    expect(root).toEqual(theirs);
  });
});
