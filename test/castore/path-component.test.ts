import { describe, expect, it } from "vitest";
import { validateName, validateTarget } from "../../src/castore/path-component.js";
import { bytes } from "../support/bytes.js";

const refused = expect.objectContaining({ code: "invalid-argument" });

describe("validateName()", () => {
  it.each(["a", ".a", "..a", "...", "a b\nc", "ü", "x".repeat(255)])("takes %j", (name) => {
    expect(() => validateName(bytes(name))).not.toThrow();
  });

  it("takes bytes that are not UTF-8", () => {
    expect(() => validateName(Buffer.from([0xff, 0xfe]))).not.toThrow();
  });

  it.each(["", ".", "..", "a/b", "/", "a\0", "x".repeat(256)])("refuses %j", (name) => {
    expect(() => validateName(bytes(name))).toThrow(refused);
  });
});

describe("validateTarget()", () => {
  it.each(["aa", ".", "./..", "..", "a/b", "/a/b", "x".repeat(4095)])("takes %j", (target) => {
    expect(() => validateTarget(bytes(target))).not.toThrow();
  });

  it.each(["", "a\0b", "x".repeat(4096)])("refuses %j", (target) => {
    expect(() => validateTarget(bytes(target))).toThrow(refused);
  });
});
