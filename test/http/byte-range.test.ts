import { describe, expect, test } from "vitest";
import { readRange } from "../../src/http/byte-range.js";

const NINES = "9".repeat(400);

describe("readRange()", () => {
  test.each([
    ["bytes=0-3", { start: 0, end: 4 }],
    ["bytes=2-", { start: 2, end: 10 }],
    ["bytes=-3", { start: 7, end: 10 }],
    ["bytes=-30", { start: 0, end: 10 }],
    ["bytes=9-9", { start: 9, end: 10 }],
    [`bytes=5-${NINES}`, { start: 5, end: 10 }],
    [`bytes=-${NINES}`, { start: 0, end: 10 }],
    ["Bytes= 0-0 ", { start: 0, end: 1 }],
  ])("reads %s of ten bytes", (header, range) => {
    expect(readRange(header, 10)).toEqual(range);
  });

  test.each(["bytes=10-", `bytes=${NINES}-`, "bytes=-0", "bytes=10-20"])(
    "finds nothing in %s of ten bytes",
    (header) => {
      expect(readRange(header, 10)).toBe("unsatisfiable");
    },
  );

  test.each([
    [undefined],
    ["bytes=0-1,3-4"],
    ["bytes=5-2"],
    ["bytes=-"],
    ["bytes=a-b"],
    ["bytes=-5-3"],
    ["lines=1-2"],
    ["bytes=1.5-3"],
    ["bytes=0x1-3"],
  ])("takes %s for no wish", (header) => {
    expect(readRange(header, 10)).toBeUndefined();
  });

  test("finds nothing in an empty file", () => {
    expect(readRange("bytes=0-", 0)).toBe("unsatisfiable");
    expect(readRange("bytes=-5", 0)).toBe("unsatisfiable");
  });
});
