import { describe, expect, test } from "vitest";
import {
  hasSysAdmin,
  type Machine,
  mountObstacles,
  permitsAllowOther,
} from "../../src/fuse/preflight.js";

const root: Machine = {
  root: true,
  mayMount: true,
  deviceError: undefined,
  fusermount: false,
  userAllowOther: false,
};
const user: Machine = { ...root, root: false, mayMount: false, fusermount: true };

const obstacles = (machine: Machine, allowOther = false) =>
  mountObstacles(machine, { allowOther }).map(({ code, message }) => `${code}: ${message}`);

describe("mountObstacles()", () => {
  test("finds nothing in the way of root, and of a user with fusermount", () => {
    expect(obstacles(root, true)).toEqual([]);
    expect(obstacles(user)).toEqual([]);
    expect(obstacles({ ...user, userAllowOther: true }, true)).toEqual([]);
  });

  test.each([
    ["no device", { ...root, deviceError: "ENOENT" }, /^unsupported: .*ENOENT.*modprobe fuse/],
    ["a closed device", { ...root, deviceError: "EPERM" }, /^permission-denied: .*--device/],
    ["no capability", { ...root, mayMount: false }, /^permission-denied: .*SYS_ADMIN/],
    ["no fusermount", { ...user, fusermount: false }, /^unsupported: .*Install fuse3/],
  ])("says what to do about %s", (_, machine, message) => {
    expect(obstacles(machine)).toEqual([expect.stringMatching(message)]);
  });

  test("says what a user lacks for --allow-other", () => {
    expect(obstacles(user, true)).toEqual([
      expect.stringMatching(/^permission-denied: .*user_allow_other/),
    ]);
  });
});

test("hasSysAdmin() reads bit 21 of the effective capabilities", () => {
  const status = (capabilities: string) =>
    `Name:\tnode\nCapPrm:\t${capabilities}\nCapEff:\t${capabilities}\n`;
  expect(hasSysAdmin(status("000001ffffffffff"))).toBe(true);
  expect(hasSysAdmin(status("0000000000200000"))).toBe(true);
  expect(hasSysAdmin(status("00000000a80425fb"))).toBe(false);
  expect(hasSysAdmin("")).toBe(false);
});

test("permitsAllowOther() does not take a comment for the setting", () => {
  expect(permitsAllowOther("# user_allow_other\n#user_allow_other\n")).toBe(false);
  expect(permitsAllowOther("mount_max = 5\nuser_allow_other\n")).toBe(true);
});
