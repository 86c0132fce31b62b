import { status } from "@grpc/grpc-js";
import { describe, expect, it } from "vitest";
import { type ErrorCode, StoreError } from "../../src/base/errors.js";
import { callStatus, errorCodeOf } from "../../src/grpc/status.js";

const TABLE: readonly [ErrorCode, keyof typeof status][] = [
  ["invalid-argument", "INVALID_ARGUMENT"],
  ["not-found", "NOT_FOUND"],
  ["dangling-reference", "DATA_LOSS"],
  ["corrupt", "DATA_LOSS"],
  ["permission-denied", "PERMISSION_DENIED"],
  ["limit-exceeded", "RESOURCE_EXHAUSTED"],
  ["unsupported", "UNIMPLEMENTED"],
  ["unavailable", "UNAVAILABLE"],
  ["aborted", "CANCELLED"],
  ["internal", "INTERNAL"],
];

describe("callStatus()", () => {
  it.each(TABLE)("answers %s with %s", (code, name) => {
    expect(callStatus(new StoreError(code, "text")).code).toBe(status[name]);
  });

  it.each([new StoreError("internal", "secret"), new TypeError("secret"), "secret", undefined])(
    "hides what a bug says: %s",
    (error) => {
      expect(callStatus(error)).toEqual({ code: status.INTERNAL, details: "Internal error" });
    },
  );

  it.each([
    ["several lines", "one\n  two\r\nthree", "one two three"],
    ["half a character", "a\ud800b", "a\ufffdb"],
    ["a long text", "x".repeat(5000), `${"x".repeat(1500)}…`],
  ])("makes a header of %s", (_title, message, details) => {
    expect(callStatus(new StoreError("corrupt", message)).details).toBe(details);
  });
});

describe("errorCodeOf()", () => {
  it("turns back what it can, for every status there is", () => {
    for (const [code, name] of TABLE) {
      const back = errorCodeOf(status[name]);
      expect(back).toBe(code === "dangling-reference" ? "corrupt" : code);
    }
    const numbers = Object.values(status).filter((value) => typeof value === "number");
    expect(numbers.map(errorCodeOf).filter((code) => code === undefined)).toEqual([]);
  });

  it.each<[keyof typeof status, ErrorCode]>([
    ["DEADLINE_EXCEEDED", "unavailable"],
    ["UNAUTHENTICATED", "permission-denied"],
    ["OUT_OF_RANGE", "limit-exceeded"],
    ["FAILED_PRECONDITION", "invalid-argument"],
    ["UNKNOWN", "internal"],
  ])("takes %s for %s", (name, code) => {
    expect(errorCodeOf(status[name])).toBe(code);
  });

  it("takes a number that means nothing for a bug", () => {
    expect(errorCodeOf(99)).toBe("internal");
  });
});
