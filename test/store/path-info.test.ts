import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { B3Digest } from "../../src/castore/digest.js";
import { type PathInfo, validatePathInfo } from "../../src/store/path-info.js";
import { DUMMY_PATH_INFO, pathInfoArbitrary } from "./support/path-info.js";

const digest = B3Digest.from(new Uint8Array(32));
const good = { name: "good-1", data: new Uint8Array(64) };

describe("validatePathInfo()", () => {
  it("takes everything that keeps the rules", () => {
    expect(() => validatePathInfo(DUMMY_PATH_INFO)).not.toThrow();
    fc.assert(fc.property(pathInfoArbitrary, (pathInfo) => validatePathInfo(pathInfo)));
  });

  it.each<[string, Partial<PathInfo>, string]>([
    ["a short NAR hash", { narSha256: new Uint8Array(2) }, "NAR SHA-256 has 2 bytes, expected 32"],
    ["a NAR size beyond 64 bits", { narSize: 2n ** 64n }, "NAR size 18446744073709551616"],
    ["a negative NAR size", { narSize: -1n }, "NAR size -1"],
    [
      "a directory size beyond 64 bits",
      { node: { type: "directory", digest, size: 2n ** 64n } },
      "size of the directory 18446744073709551616",
    ],
    [
      "a negative file size",
      { node: { type: "file", digest, size: -1n, executable: false } },
      "size of the file -1",
    ],
    [
      "an empty symlink target",
      { node: { type: "symlink", target: new Uint8Array(0) } },
      "Invalid symlink target",
    ],
    [
      "a short second signature",
      { signatures: [good, { name: "bad-1", data: new Uint8Array(63) }] },
      'signature 1, by "bad-1" has 63 bytes, expected 64',
    ],
    [
      "a content address with a digest of another algorithm",
      { ca: { method: "flat", algorithm: "sha1", digest: new Uint8Array(32) } },
      "fixed:sha1 digest: 32 bytes, expected 20",
    ],
  ])("refuses %s and says where", (_title, change, why) => {
    expect(() => validatePathInfo({ ...DUMMY_PATH_INFO, ...change })).toThrow(
      expect.objectContaining({
        code: "invalid-argument",
        message: expect.stringMatching(/^Invalid path info of \/nix\/store\/0{32}-dummy: /),
      }),
    );
    expect(() => validatePathInfo({ ...DUMMY_PATH_INFO, ...change })).toThrow(why);
  });
});
