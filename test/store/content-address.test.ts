import { createHash } from "node:crypto";
import { describe, expect, it } from "vitest";
import {
  type ContentAddress,
  contentAddressedPath,
  formatContentAddress,
  type HashAlgorithm,
  narStorePath,
  validateContentAddress,
} from "../../src/store/content-address.js";
import type { StorePath } from "../../src/store/store-path.js";
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

/** What `nix-store --add-fixed` of Nix 2.8 says of a file `Hello World!` called hello. */
const FIXED: readonly [ContentAddress["method"], HashAlgorithm, hex: string, path: string][] = [
  ["flat", "md5", "ed076287532e86365e841e92bfc50d8c", "div16k3psvhcl5kgaljndcj51hpjxzc6"],
  ["nar", "md5", "00d8bb856df42fa018713458ee68e37a", "355a4gs0bx8fm5269r7d6xkvy85ma8gi"],
  ["flat", "sha1", "2ef7bde608ce5404e97d5f042f95f89f1c232871", "jgd6i4cxyyayvijzlpbknd81a6nf712x"],
  ["nar", "sha1", "dc5bf488f1b6eafda0ec0c0cb8b39a68b253bb62", "bnxwasy5gl3lcpnpn6bv0pvc4fshav7b"],
  [
    "flat",
    "sha256",
    "7f83b1657ff1fc53b92dc18148a1d65dfc2d4b1fa3d677284addd200126d9069",
    "1sb2j9y0pk8hxcajw6313hsc9rrdgzkf",
  ],
  [
    "nar",
    "sha256",
    "03e7f63be30b065d78bcf615f5473545fdb4eb69aa416f43495b4e05cdfb8040",
    "n4hss129xrln71w0nss39bcx6hzsh9bg",
  ],
  [
    "flat",
    "sha512",
    "861844d6704e8573fec34d967e20bcfef3d424cf48be04e6dc08f2bd58c729743371015ead891cc3cf1c9d34b49264b510751b1ff9e537937bc46b5d6ff4ecc8",
    "lnqqii2agj3skdkvfamfvl2x15glwh2p",
  ],
];

describe("contentAddressedPath()", () => {
  it.each(FIXED)("finds where Nix puts %s %s", (method, algorithm, hex, hash) => {
    const ca = { method, algorithm, digest: Buffer.from(hex, "hex") } as ContentAddress;
    expect(contentAddressedPath(ca, "hello", []).basename).toBe(`${hash}-hello`);
  });

  it("finds where Nix puts texts, with and without references", () => {
    const text = (content: string): ContentAddress => ({
      method: "text",
      algorithm: "sha256",
      digest: createHash("sha256").update(content).digest(),
    });
    const foo = contentAddressedPath(text("bar"), "foo", []);
    expect(foo.toString()).toBe("/nix/store/vxjiwkjkn7x4079qvh1jkl5pn05j2aw0-foo");
    expect(contentAddressedPath(text(foo.toString()), "baz", [foo]).toString()).toBe(
      "/nix/store/5xd714cbfnkz02h2vbsj4fm03x3f15nf-baz",
    );
  });

  it("counts references in any order, and one to itself", () => {
    const ca = { method: "nar", algorithm: "sha256", digest: Buffer.alloc(32) } as const;
    const [a, b] = ["a", "b"].map((name) => narStorePath(name, Buffer.alloc(32))) as [
      StorePath,
      StorePath,
    ];
    const path = contentAddressedPath(ca, "x", [a, b]);
    expect(contentAddressedPath(ca, "x", [b, a]).equals(path)).toBe(true);
    const others = [[a], []].map((references) => contentAddressedPath(ca, "x", references));
    others.push(contentAddressedPath(ca, "x", [a, b], true));
    for (const other of others) expect(other.equals(path)).toBe(false);
    expect(others[1]?.equals(narStorePath("x", ca.digest))).toBe(true);
  });

  it.each<[ContentAddress["method"], HashAlgorithm]>([
    ["flat", "sha256"],
    ["nar", "sha1"],
    ["text", "sha256"],
  ])("refuses what %s %s cannot have", (method, algorithm) => {
    const ca = { method, algorithm, digest: Buffer.alloc(32) } as ContentAddress;
    expect(() => contentAddressedPath(ca, "x", [], true)).toThrow(
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
