import { describe, expect, test } from "vitest";
import { textOf } from "../../../src/http/pages/text-of.js";

describe("textOf()", () => {
  test.each(["name", "two words", "grüße", "\u05d0\u05d1", '"quoted"', "<b>"])(
    "leaves %j as it is",
    (name) => expect(textOf(Buffer.from(name))).toBe(name),
  );

  test.each([
    ["what is not UTF-8", Buffer.from([0x61, 0xff]), '"a\\xff"'],
    ["a new line", Buffer.from("a\nb"), '"a\\x0ab"'],
    ["what turns the direction", Buffer.from("\u202ea"), '"\\xe2\\x80\\xaea"'],
    ["space at the beginning", Buffer.from(" a"), '" a"'],
    ["space at the end", Buffer.from("a "), '"a "'],
  ])("quotes %s", (_title, name, text) => expect(textOf(name)).toBe(text));
});
