import { describe, expect, test } from "vitest";
import {
  isInside,
  isMounted,
  isOurs,
  mountAt,
  mountHolding,
  parseMountTable,
} from "../../src/fuse/mount-table.js";

const TEXT = `\
23 28 0:21 / /proc rw,nosuid shared:12 - proc proc rw
28 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw,errors=remount-ro
40 28 0:39 / /nix/store ro,nosuid,nodev - fuse.tvix-store tvix-store ro,user_id=0
41 28 0:40 / /mnt/with\\040space\\011tab\\134back\\012line rw - fuse.other some\\040thing rw
42 28 0:41 / /mnt/x rw master:3 propagate_from:2 - tmpfs tmpfs rw
43 42 0:42 / /mnt/x rw - fuse.tvix-store tvix-store rw

garbage
`;
const table = parseMountTable(TEXT);

describe("parseMountTable()", () => {
  test("reads each line, with any number of tags, and passes over what is none", () => {
    expect(table.map(({ id }) => id)).toEqual([23, 28, 40, 41, 42, 43]);
    expect(table[2]).toEqual({
      id: 40,
      device: "0:39",
      mountPoint: "/nix/store",
      type: "fuse.tvix-store",
      source: "tvix-store",
    });
  });

  test("undoes octal escapes", () => {
    expect(table[3]?.mountPoint).toBe("/mnt/with space\ttab\\back\nline");
    expect(table[3]?.source).toBe("some thing");
  });
});

describe("the mount table", () => {
  test("mountAt() finds the topmost mount at a path, and none elsewhere", () => {
    expect(mountAt(table, "/mnt/x")?.id).toBe(43);
    expect(mountAt(table, "/nix")).toBeUndefined();
    expect(mountAt(table, "/nix/store/a")).toBeUndefined();
  });

  test("mountHolding() finds the innermost mount above a path", () => {
    expect(mountHolding(table, "/nix/store/a/b")?.id).toBe(40);
    expect(mountHolding(table, "/nix/stores")?.id).toBe(28);
    expect(mountHolding(table, "/mnt/x")?.id).toBe(43);
  });

  test("isOurs() goes by the type", () => {
    expect(table.filter(isOurs).map(({ id }) => id)).toEqual([40, 43]);
  });

  test("isMounted() does not take another mount with the same number for it", () => {
    const [, , ours] = table;
    if (ours === undefined) throw new Error("no entry");
    expect(isMounted(table, ours)).toBe(true);
    expect(isMounted([{ ...ours, device: "0:50" }], ours)).toBe(false);
    expect(isMounted([{ ...ours, mountPoint: "/elsewhere" }], ours)).toBe(false);
  });

  test("isInside() compares whole names", () => {
    expect(isInside("/a/b", "/a")).toBe(true);
    expect(isInside("/a", "/a")).toBe(true);
    expect(isInside("/ab", "/a")).toBe(false);
    expect(isInside("/ab", "/")).toBe(true);
  });
});
