import { describe, expect, test } from "vitest";
import { Paging } from "../../../src/http/pages/paging.js";

describe("Paging", () => {
  test.each([
    { total: 0, from: 0, start: 0, end: 0 },
    { total: 0, from: 99, start: 0, end: 0 },
    { total: 10, from: 0, start: 0, end: 10 },
    { total: 25, from: 0, start: 0, end: 10 },
    { total: 25, from: 14, start: 10, end: 20 },
    { total: 25, from: 20, start: 20, end: 25 },
    { total: 25, from: 999_999_999, start: 20, end: 25 },
    { total: 20, from: 20, start: 10, end: 20 },
  ])("of $total rows by tens shows $start to $end from $from on", ({ total, from, start, end }) => {
    const paging = new Paging(total, 10, from);
    expect([paging.start, paging.end]).toEqual([start, end]);
  });

  test("links to what there is", () => {
    const hrefs = (total: number, from: number) =>
      [...new Paging(total, 10, from).links((row) => `?${row}`).text.matchAll(/"\?(\d+)"/g)].map(
        ([, row]) => Number(row),
      );
    expect(hrefs(10, 0)).toEqual([]);
    expect(hrefs(25, 0)).toEqual([10]);
    expect(hrefs(25, 10)).toEqual([0, 20]);
    expect(hrefs(25, 20)).toEqual([10]);
  });
});
