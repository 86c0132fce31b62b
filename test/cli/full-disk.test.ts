import { mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { noise } from "../support/bytes.js";
import { TestStore } from "../support/cli.js";
import { temporaryFolder } from "../support/temp.js";
import { SmallDisk, tmpfsObstacle } from "../support/tmpfs.js";

if (tmpfsObstacle !== undefined) console.warn(`Tests of a full disk skipped: ${tmpfsObstacle}`);

const DISK_KIB = 8 * 1024;
const folder = temporaryFolder();

/** A tree too large for the disk, made of `count` files of `size` bytes. */
function tree(name: string, count: number, size: number): string {
  const path = join(folder, name);
  mkdirSync(path);
  for (let index = 0; index < count; index++) {
    writeFileSync(join(path, `${index}`), noise(size, index + 1));
  }
  return path;
}

describe.skipIf(tmpfsObstacle !== undefined)("A disk that fills up during an import", () => {
  test.each([
    ["small blobs", 400, 40_000],
    ["large blobs", 8, 2_000_000],
    ["one very large blob", 1, 16_000_000],
  ])("of %s is an error that leaves the store intact", async (title, count, size) => {
    const disk = new SmallDisk(DISK_KIB);
    const store = new TestStore(join(disk.folder, "store"));
    const earlier = await store.import(tree(`earlier ${title}`, 20, 5000), "--name", "earlier");
    const large = tree(`large ${title}`, count, size);

    const failed = await store.run(["import", "--name", "large", large]);
    expect(failed).toMatchObject({ status: 1, stdout: "" });
    // Nothing else: LMDB, which would word it in a buffer that is too short, never saw the full disk.
    expect(failed.stderr).toMatch(/^tvix-store: Cannot write .*no space left.*\n$/);
    expect(await store.readBack()).toEqual([earlier]);
    expect(readdirSync(join(store.folder, "tmp"))).toEqual([]);

    disk.grow(DISK_KIB * 8);
    const path = await store.import(large, "--name", "large");
    expect((await store.readBack()).sort()).toEqual([earlier, path].sort());
  });

  test("to the last byte does not keep anyone from reading", async () => {
    const disk = new SmallDisk(DISK_KIB);
    const store = new TestStore(join(disk.folder, "store"));
    const path = await store.import(tree("read", 20, 5000));
    expect(() => writeFileSync(join(disk.folder, "filler"), noise(DISK_KIB * 1024))).toThrow();
    expect(await store.readBack()).toEqual([path]);
  });

  test("before there is a store is an error too", async () => {
    const disk = new SmallDisk(64);
    expect(() => writeFileSync(join(disk.folder, "filler"), noise(65 * 1024))).toThrow();
    const store = new TestStore(join(disk.folder, "store"));
    const failed = await store.run(["import", tree("first", 1, 10)]);
    expect(failed).toMatchObject({ status: 1, signal: null, stdout: "" });
    expect(failed.stderr).toMatch(/tvix-store: .*no space left/);
    disk.grow(DISK_KIB);
    await store.import(join(folder, "first"));
  });
});
