import { describe, expect, test } from "vitest";
import { ReplyError } from "../../src/fuse/errno.js";
import { parentPath, resolvePath } from "../../src/fuse/path-resolver.js";
import { directory, file, MemoryFileSystem, symlink } from "./support/memory-file-system.mjs";

const fileSystem = new MemoryFileSystem([
  ["a", directory([["b", directory([["c", file("text")]])]])],
  ["\ufffd", file("replacement")],
  ["gr\u00fcn", file("utf-8")],
  ["link", symlink("a")],
]);

function errnoOfPath(path: string): number | undefined {
  try {
    resolvePath(fileSystem, path);
    return undefined;
  } catch (error) {
    if (error instanceof ReplyError) return error.errno;
    throw error;
  }
}

describe("resolvePath()", () => {
  test("finds the root, entries below it, and names in UTF-8", () => {
    expect(resolvePath(fileSystem, "/").inode).toBe(1);
    expect(resolvePath(fileSystem, "/a").type).toBe("directory");
    expect(resolvePath(fileSystem, "/a/b/c")).toMatchObject({ type: "file", size: 4 });
    expect(resolvePath(fileSystem, "/gr\u00fcn").size).toBe(5);
    expect(resolvePath(fileSystem, "/link").type).toBe("symlink");
  });

  test.each([
    ["an absent name", "/none", 2],
    ["an absent name on the way", "/a/none/c", 2],
    ["a file on the way", "/a/b/c/d", 20],
    ["a symlink on the way", "/link/b", 20],
    ["a name of 256 bytes", `/${"x".repeat(256)}`, 36],
    ["a name of 128 characters in 256 bytes", `/${"\u00fc".repeat(128)}`, 36],
    ["a name that may not have been UTF-8", "/\ufffd", 2],
  ])("answers %s with an error number", (_, path, errno) => {
    expect(errnoOfPath(path)).toBe(errno);
  });

  test("sees an entry that appears after a failed lookup", () => {
    expect(errnoOfPath("/late")).toBe(2);
    fileSystem.addToRoot("late", file("now"));
    expect(resolvePath(fileSystem, "/late").size).toBe(3);
  });
});

test("parentPath() leads up to the root and stays there", () => {
  expect(["/a/b", "/a", "/"].map(parentPath)).toEqual(["/a", "/", "/"]);
});
