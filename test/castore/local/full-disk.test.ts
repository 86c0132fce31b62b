import { readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { getBlob, putBlob } from "../../../src/castore/blob/service.js";
import { INLINE_BYTES_MAX } from "../../../src/castore/local/blob-record.js";
import { LocalStore } from "../../../src/castore/local/store.js";
import { noise } from "../../support/bytes.js";
import { SmallDisk, tmpfsObstacle } from "../../support/tmpfs.js";
import { DIRECTORY } from "../../vectors/directories.js";

if (tmpfsObstacle !== undefined) console.warn(`Tests of a full disk skipped: ${tmpfsObstacle}`);

const DISK_KIB = 4096;

/** Takes all that is left of the disk. */
function fill(disk: SmallDisk): void {
  expect(() => writeFileSync(join(disk.folder, "filler"), noise(DISK_KIB * 1024))).toThrow(
    "ENOSPC",
  );
}

describe.skipIf(tmpfsObstacle !== undefined)("A local store on a full disk", () => {
  it.each([
    ["a small blob", INLINE_BYTES_MAX],
    ["a large blob", INLINE_BYTES_MAX * 4],
  ])("refuses %s, keeps what it has, and takes it once there is room", async (_title, size) => {
    const disk = new SmallDisk(DISK_KIB);
    await using store = await LocalStore.open(join(disk.folder, "store"));
    const kept = [noise(1000, 1), noise(INLINE_BYTES_MAX * 2, 2)];
    const digests = await Promise.all(
      kept.map(async (content) => (await putBlob(store.blobs, content)).digest),
    );
    await store.directories.put(DIRECTORY.withKeep);
    fill(disk);

    const content = noise(size, 3);
    await expect(putBlob(store.blobs, content)).rejects.toMatchObject({
      code: "unavailable",
      message: expect.stringMatching(/^Cannot write .*(no space left|disk is full)/),
    });
    expect(readdirSync(store.layout.tmp)).toEqual([]);
    for (const [index, digest] of digests.entries()) {
      expect(kept[index]?.equals((await getBlob(store.blobs, digest)) as Buffer)).toBe(true);
    }
    expect(await store.directories.get(DIRECTORY.withKeep.digest)).toBeDefined();

    disk.grow(DISK_KIB * 2);
    const { digest } = await putBlob(store.blobs, content);
    expect(content.equals((await getBlob(store.blobs, digest)) as Buffer)).toBe(true);
  });

  it("answers every one of many writes that fail together", async () => {
    const disk = new SmallDisk(DISK_KIB);
    await using store = await LocalStore.open(join(disk.folder, "store"));
    await putBlob(store.blobs, noise(10));
    fill(disk);
    const writes = Array.from({ length: 60 }, (_, index) => {
      return putBlob(store.blobs, noise(INLINE_BYTES_MAX + (index % 2), index + 1));
    });
    const results = await Promise.allSettled(writes);
    expect(results.filter(({ status }) => status === "fulfilled")).toEqual([]);
    expect(readdirSync(store.layout.tmp)).toEqual([]);
  });

  it("can be opened and read", async () => {
    const disk = new SmallDisk(DISK_KIB);
    const folder = join(disk.folder, "store");
    const { digest } = await (async () => {
      await using store = await LocalStore.open(folder);
      return await putBlob(store.blobs, noise(1000));
    })();
    fill(disk);
    await using store = await LocalStore.openExisting(folder);
    expect(noise(1000).equals((await getBlob(store.blobs, digest)) as Buffer)).toBe(true);
  });
});
