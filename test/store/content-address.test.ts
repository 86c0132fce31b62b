import { describe, expect, it } from "vitest";
import {
  type ContentAddress,
  formatContentAddress,
  narStorePath,
  validateContentAddress,
} from "../../src/store/content-address.js";
import { NAR_FIXTURES } from "./support/nar-fixtures.js";

describe("narStorePath()", () => {
  it.each(NAR_FIXTURES)("finds where Nix would put $title", ({ sha256, name, hash }) => {
    const path = narStorePath(name, Buffer.from(sha256, "hex"));
    expect(path.toString()).toBe(`/nix/store/${hash}-${name}`);
  });

  it("refuses a name that no store path can have", () => {
    expect(() => narStorePath("a b", Buffer.alloc(32))).toThrow(
      expect.objectContaining({ code: "invalid-argument" }),
    );
  });
});

describe("formatContentAddress()", () => {
  it.each(NAR_FIXTURES)("writes that of $title", ({ sha256, nixBase32 }) => {
    const digest = Buffer.from(sha256, "hex");
    expect(formatContentAddress({ method: "nar", algorithm: "sha256", digest })).toBe(
      `fixed:r:sha256:${nixBase32}`,
    );
  });

  it("writes every method", () => {
    const digest = Buffer.alloc(20);
    const zeros = "0".repeat(32);
    expect(formatContentAddress({ method: "flat", algorithm: "sha1", digest })).toBe(
      `fixed:sha1:${zeros}`,
    );
    expect(formatContentAddress({ method: "nar", algorithm: "sha1", digest })).toBe(
      `fixed:r:sha1:${zeros}`,
    );
    expect(
      formatContentAddress({ method: "text", algorithm: "sha256", digest: Buffer.alloc(32) }),
    ).toBe(`text:sha256:${"0".repeat(52)}`);
  });
});

describe("validateContentAddress()", () => {
  it.each([
    ["md5", 16],
    ["sha1", 20],
    ["sha256", 32],
    ["sha512", 64],
  ] as const)("asks for a %s digest of %i bytes", (algorithm, length) => {
    const ofLength = (bytes: number): ContentAddress => ({
      method: "flat",
      algorithm,
      digest: Buffer.alloc(bytes),
    });
    expect(() => validateContentAddress(ofLength(length))).not.toThrow();
    for (const wrong of [0, length - 1, length + 1]) {
      expect(() => validateContentAddress(ofLength(wrong))).toThrow(
        expect.objectContaining({ code: "invalid-argument" }),
      );
    }
  });
});
