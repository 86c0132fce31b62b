import { describe, expect, test } from "vitest";
import type { Attributes } from "../../src/castore/fs/file-system.js";
import { statFrom, statFsFrom } from "../../src/fuse/attributes.js";

const file: Attributes = { inode: 9, type: "file", executable: false, size: 513, mtimeMs: 1000 };

describe("statFrom()", () => {
  test("shows a file as read-only, owned by root, with one time for all", () => {
    expect(statFrom(file)).toEqual({
      mode: 0o100444,
      uid: 0,
      gid: 0,
      size: 513,
      nlink: 1,
      ino: 9,
      blksize: 4096,
      blocks: 2,
      atime: 1000,
      mtime: 1000,
      ctime: 1000,
    });
  });

  test.each([
    ["an executable file", { executable: true }, 0o100555, 2],
    ["a directory", { type: "directory" }, 0o040555, 0],
    ["a symlink", { type: "symlink" }, 0o120777, 0],
    ["an empty file", { size: 0 }, 0o100444, 0],
    ["a large file", { size: 5 * 2 ** 40 }, 0o100444, 5 * 2 ** 31],
  ] as const)("gives %s its mode and blocks", (_, change, mode, blocks) => {
    const stat = statFrom({ ...file, ...change });
    expect([stat.mode, stat.blocks, stat.nlink]).toEqual([mode, blocks, 1]);
  });
});

describe("statFsFrom()", () => {
  test("counts in blocks of 4096 bytes", () => {
    const capacity = { totalBytes: 10 * 4096, freeBytes: 3 * 4096 + 1, inodes: 7 };
    const stat = statFsFrom(capacity);
    expect(stat).toMatchObject({ bsize: 4096, frsize: 4096, blocks: 10, bfree: 3, bavail: 3 });
    expect(stat).toMatchObject({ files: 7, namemax: 255 });
  });

  test("takes larger blocks when the count would not fit 32 bits", () => {
    const stat = statFsFrom({ totalBytes: 2 ** 53 - 1, freeBytes: 2 ** 50, inodes: 2 ** 40 });
    expect(stat.blocks).toBeLessThan(2 ** 32);
    expect(stat.bfree * stat.frsize).toBe(2 ** 50);
    expect(stat.files).toBe(2 ** 32 - 1);
  });
});
