import { describe, expect, it } from "vitest";
import { copyBytes, decodeUtf8, quoteBytes } from "../../src/base/bytes.js";

describe("quoteBytes()", () => {
  it.each([
    ["plain text", Buffer.from("hello world"), '"hello world"'],
    ["letters of any language", Buffer.from("grüße 世界"), '"grüße 世界"'],
    ["a newline and an escape sequence", Buffer.from("a\n\x1b[31m"), '"a\\x0a\\x1b[31m"'],
    ["quotes and backslashes", Buffer.from('"\\x'), '"\\x22\\x5cx"'],
    ["bytes that are not UTF-8", Buffer.from([0x61, 0xff, 0xfe]), '"a\\xff\\xfe"'],
    ["what turns the direction", Buffer.from("a\u202egnp.exe"), '"a\\xe2\\x80\\xaegnp.exe"'],
    ["C1 control characters", Buffer.from("\u009b"), '"\\xc2\\x9b"'],
  ])("shows %s", (_title, bytes, text) => expect(quoteBytes(bytes)).toBe(text));

  it("never shows two names alike", () => {
    const names = [Buffer.from([0xff]), Buffer.from("\\xff"), Buffer.from("\ufffd")];
    expect(new Set(names.map(quoteBytes)).size).toBe(names.length);
  });
});

describe("decodeUtf8()", () => {
  it("keeps a byte order mark, which is part of a name", () => {
    expect(decodeUtf8(Buffer.from("\ufeffa"))).toBe("\ufeffa");
  });

  it("is undefined for anything but UTF-8", () => {
    for (const bytes of [[0xff], [0xc3], [0xed, 0xa0, 0x80]]) {
      expect(decodeUtf8(Buffer.from(bytes))).toBeUndefined();
    }
  });
});

describe("copyBytes()", () => {
  it("shares no memory with its source", () => {
    const source = Buffer.from("abc");
    const copy = copyBytes(source);
    source[0] = 0;
    expect(copy.toString()).toBe("abc");
  });
});
