import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { B3Digest } from "../../src/castore/digest.js";
import { kernelTestsObstacle, until } from "../fuse/support/fake-mount.js";
import { noise } from "../support/bytes.js";
import { outputOf, runProgram } from "../support/child.js";
import { TestStore } from "../support/cli.js";
import { CliMount } from "../support/cli-mount.js";
import { halveBlobFile, removeBlobFile, removeRecord } from "../support/store-damage.js";
import { temporaryFolder } from "../support/temp.js";
import { DIRECTORY } from "../vectors/directories.js";

if (kernelTestsObstacle !== undefined) console.warn(`Kernel tests skipped: ${kernelTestsObstacle}`);

const LARGE = 300_000;
const files = {
  "small-gone": noise(1000, 1),
  "large-gone": noise(LARGE, 2),
  "large-record-gone": noise(LARGE, 3),
  "large-cut": noise(LARGE, 4),
  "small-whole": noise(1000, 5),
  "large-whole": noise(LARGE, 6),
};

describe.skipIf(kernelTestsObstacle !== undefined).each(["kernel", "fuse-native"])(
  "A hole in a store mounted with --engine=%s",
  (engine) => {
    const store = new TestStore();
    let storePath: string;
    let mount: CliMount;

    beforeAll(async () => {
      const tree = join(temporaryFolder(), "tree");
      mkdirSync(join(tree, "folder-gone"), { recursive: true });
      writeFileSync(join(tree, "folder-gone", ".keep"), "");
      for (const [name, content] of Object.entries(files)) writeFileSync(join(tree, name), content);
      storePath = await store.import(tree);

      const { folder } = store;
      await removeRecord(folder, "blobs", B3Digest.of(files["small-gone"]).bytes);
      await removeRecord(folder, "blobs", B3Digest.of(files["large-record-gone"]).bytes);
      await removeRecord(folder, "directories", DIRECTORY.withKeep.digest.bytes);
      removeBlobFile(folder, files["large-gone"]);
      halveBlobFile(folder, files["large-cut"]);
      mount = await CliMount.start(store, `--engine=${engine}`);
    });
    afterAll(() => mount?.discard());

    /** Lines of the log that name `digest`, once there is one. */
    async function logged(digest: B3Digest): Promise<string[]> {
      await until(() => mount.stderr.includes(digest.toString()));
      return mount.stderr.split("\n").filter((line) => line.includes(digest.toString()));
    }

    test.each(["small-gone", "large-gone", "large-record-gone", "large-cut"] as const)(
      "is an I/O error and a log line with the digest: %s",
      async (name) => {
        const { status, stderr } = await runProgram("cat", [mount.path(storePath, name)]);
        expect([status, stderr]).toEqual([1, expect.stringContaining("Input/output error")]);
        const [line] = await logged(B3Digest.of(files[name]));
        expect(line).toMatch(/ERROR.*Cannot read .*: Blob blake3-\S+ is (missing|damaged)/);
      },
    );

    test("is an I/O error in a listing too, and never an empty folder", async () => {
      const { status, output, stderr } = await runProgram("ls", [
        mount.path(storePath, "folder-gone"),
      ]);
      expect([status, output.length]).toEqual([2, 0]);
      expect(stderr).toContain("Input/output error");
      const inside = await runProgram("cat", [mount.path(storePath, "folder-gone", ".keep")]);
      expect(inside.stderr).toContain("Input/output error");
      const [line] = await logged(DIRECTORY.withKeep.digest);
      expect(line).toContain("is missing from the store");
    });

    test("leaves everything else readable", async () => {
      for (const name of ["small-whole", "large-whole"] as const) {
        const { output } = await runProgram("cat", [mount.path(storePath, name)]);
        expect(output.equals(files[name])).toBe(true);
      }
      const names = (await outputOf("ls", mount.path(storePath))).trimEnd().split("\n");
      expect(names.sort()).toEqual([...Object.keys(files), "folder-gone"].sort());
      expect(mount.hasExited).toBe(false);
    });

    test("is one line of JSON with --log-format=json", async () => {
      using other = await CliMount.start(store, `--engine=${engine}`, "--log-format=json");
      await runProgram("cat", [other.path(storePath, "small-gone")]);
      const digest = B3Digest.of(files["small-gone"]).toString();
      await until(() => other.stderr.includes(digest));
      expect(await other.stop()).toBe(0);
      const lines = other.stderr
        .trimEnd()
        .split("\n")
        .filter((line) => !line.startsWith("mounted "));
      const records = lines.map((line) => JSON.parse(line) as Record<string, unknown>);
      expect(records).toContainEqual(
        expect.objectContaining({
          level: 50,
          msg: expect.stringContaining(digest),
        }),
      );
    });

    test("is an error of `cat`, `ls` and `nar dump` as well", async () => {
      const digest = B3Digest.of(files["small-gone"]).toString();
      for (const args of [
        ["cat", `${storePath}/small-gone`],
        ["nar", "dump", `${storePath}/small-gone`],
      ]) {
        const { status, stderr } = await store.run(args);
        expect([status, stderr]).toEqual([1, expect.stringContaining(digest)]);
      }
      const listed = await store.run(["ls", "-R", storePath]);
      expect(listed.status).toBe(1);
      expect(listed.stderr).toContain(DIRECTORY.withKeep.digest.toString());
    });
  },
);
