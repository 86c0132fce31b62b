/**
 * Restoring many small files, which two threads share.
 */
import { closeSync, mkdirSync, openSync, readdirSync, statSync, writeFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { pathToFileURL } from "node:url";
import { describe, expect, test } from "vitest";
import { FileFailure } from "../../src/store/nar/restore-files.js";
import { RestoreHelper } from "../../src/store/nar/restore-helper.js";
import { bytes, noise } from "../support/bytes.js";
import { runProgram } from "../support/child.js";
import { CLI, TestStore } from "../support/cli.js";
import { expectSameTree } from "../support/manifest.js";
import { temporaryFolder } from "../support/temp.js";
import { SmallDisk, tmpfsObstacle } from "../support/tmpfs.js";

const FILES = 4000;
/** On both sides of what is given to the other thread, and of what fits at once. */
const SIZES = [0, 1, 100, 4096, 5000, 300, 20_000, 65_536, 65_537, 12];

const folder = temporaryFolder();
const tree = join(folder, "tree");
const nar = join(folder, "tree.nar");
makeTree();
const store = new TestStore();
writeFileSync(nar, await store.narDump(await store.import(tree)));

/** Folders with a few files, with many, and one in the other, so that they are left while files of theirs wait. */
function makeTree(): void {
  const contents = SIZES.map((size, index) => noise(size, index));
  for (let index = 0; index < FILES; index++) {
    const place = index % 3 === 0 ? ["many"] : [`${index % 50}`, `${index % 7}`, `${index}`];
    const inside = join(tree, ...place);
    mkdirSync(inside, { recursive: true });
    const content = contents[index % contents.length] as Buffer;
    writeFileSync(join(inside, `f${index}`), content, { mode: index % 11 === 0 ? 0o755 : 0o644 });
  }
}

function restore(path: string, input = 'cat "$2"') {
  const line = `${input} | "${process.execPath}" "${CLI}" nar restore "$1"`;
  return runProgram("sh", ["-c", line, "sh", path, nar]);
}

describe("nar restore of many small files", () => {
  test("makes all of them", async () => {
    const path = join(folder, "restored");
    expect(await restore(path)).toMatchObject({ status: 0, stdout: "", stderr: "" });
    await expectSameTree(path, tree);
  });

  test("leaves nothing of a NAR that ends early", async () => {
    const path = join(folder, "cut");
    expect(await restore(path, 'head -c 20000000 "$2"')).toMatchObject({
      status: 1,
      stderr: expect.stringContaining("at byte 20000000"),
    });
    expect(readdirSync(folder)).not.toContain("cut");
  });

  test.skipIf(tmpfsObstacle !== undefined)(
    "names the file for which there is no room, and leaves nothing",
    async () => {
      for (const sizeKib of [14_000, 15_000, 16_000, 17_000, 18_000, 19_000]) {
        const disk = new SmallDisk(sizeKib);
        const path = join(disk.folder, "tree");
        const { status, stderr } = await restore(path);
        expect(status).toBe(1);
        const [, named = ""] = /^tvix-store: Cannot restore "([^"]+)": ENOSPC/.exec(stderr) ?? [];
        expect(statSync(join(tree, relative(path, named))).isFile()).toBe(true);
        expect(readdirSync(disk.folder)).toEqual([]);
      }
    },
  );
});

test("the other thread tells which file it could not make, also when that is its end", async () => {
  const program = pathToFileURL(join(dirname(CLI), "restore-worker.js"));
  const place = temporaryFolder();
  const folder = openSync(place, "r");
  const fileCalled = (name: string) => ({ folder, name: bytes(name), executable: false, size: 0 });
  for (let round = 0; round < 20; round++) {
    const helper = new RestoreHelper(program);
    await expect.poll(() => helper.isIdle, { interval: 1 }).toBe(true);
    helper.give([fileCalled(`${round}`)], 0);
    await helper.settle();
    helper.give([fileCalled(`${round}, too`), fileCalled(`${round}`)], 1);
    const settled = helper.settle().catch((error: unknown) => error);
    // It has failed and ended before we hear of either.
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 50);
    const failure: unknown = await settled;
    expect(failure).toBeInstanceOf(FileFailure);
    expect(failure).toMatchObject({ index: 1, cause: { code: "EEXIST" } });
    helper.end();
  }
  closeSync(folder);
  expect(readdirSync(place)).toHaveLength(40);
});
