import { describe, expect, test } from "vitest";
import { chooseEncoding } from "../../src/http/content-encoding.js";

describe("chooseEncoding()", () => {
  test.each([
    ["gzip", "gzip"],
    ["br, gzip", "br"],
    ["gzip;q=1.0, br;q=0.5", "gzip"],
    ["BR", "br"],
    ["*", "zstd"],
    ["zstd;q=0, br;q=0, *", "gzip"],
    ["gzip, zstd", "zstd"],
  ])("takes from %j %s", (header, encoding) => {
    expect(chooseEncoding(header)).toBe(encoding);
  });

  test.each([
    undefined,
    "",
    "identity",
    "gzip;q=0",
    "deflate",
    "gzip;q=abc",
    ",,;,",
    "x".repeat(9000),
  ])("takes nothing from %j", (header) => {
    expect(chooseEncoding(header)).toBeUndefined();
  });
});

test("chooseEncoding() passes over what is busy", () => {
  expect(chooseEncoding("zstd, br, gzip", (each) => each !== "zstd")).toBe("br");
  expect(chooseEncoding("zstd, br, gzip", () => false)).toBeUndefined();
});
