import { describe, expect, test } from "vitest";
import { type ErrorCode, StoreError } from "../../src/base/errors.js";
import { errnoFrom, ReplyError } from "../../src/fuse/errno.js";

const table: Readonly<Record<ErrorCode, number>> = {
  "invalid-argument": 22,
  "not-found": 116,
  "dangling-reference": 5,
  corrupt: 5,
  "permission-denied": 1,
  "limit-exceeded": 5,
  unsupported: 95,
  unavailable: 5,
  aborted: 4,
  internal: 5,
};

describe("errnoFrom()", () => {
  test.each(Object.entries(table))("maps %s to %i", (code, errno) => {
    expect(errnoFrom(new StoreError(code as ErrorCode, "x"))).toBe(errno);
  });

  test("keeps the number of a ReplyError", () => {
    expect(errnoFrom(new ReplyError(36, "x"))).toBe(36);
  });

  test.each([new TypeError("x"), "text", undefined, null, { code: "not-found" }])(
    "takes anything else for EIO: %s",
    (thrown) => {
      expect(errnoFrom(thrown)).toBe(5);
    },
  );
});
