import { createHash } from "node:crypto";
import { describe, expect, it } from "vitest";
import {
  type ContentAddress,
  contentAddressedPath,
  formatContentAddress,
  parseContentAddress,
  validateContentAddress,
} from "../../src/store/content-address.js";
import type { HashAlgorithm } from "../../src/store/nix-hash.js";
import { StorePath } from "../../src/store/store-path.js";
import { NAR_FIXTURES } from "./support/nar-fixtures.js";

/** Where content goes that refers to nothing. */
function narStorePath(name: string, digest: Uint8Array): StorePath {
  return contentAddressedPath({ method: "nar", algorithm: "sha256", digest }, name, []);
}

describe("contentAddressedPath() of a NAR", () => {
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

  it("finds where others put trees by sha1, and trees with references", () => {
    const sha1 = Buffer.from("0beec7b5ea3f0fdbc95d0dd47f3c5bc275da8a33", "hex");
    const bar = contentAddressedPath({ method: "nar", algorithm: "sha1", digest: sha1 }, "bar", []);
    expect(bar.basename).toBe("mp57d33657rf34lzvlbpfa1gjfv5gmpg-bar");
    const ca = parseContentAddress(
      "fixed:r:sha256:1xqkzcb3909fp07qngljr4wcdnrh1gdam1m2n29i6hhrxlmkgkv1",
    );
    const foo = StorePath.parse("dxwkwjzdaq7ka55pkk252gh32bgpmql4-foo");
    expect(contentAddressedPath(ca, "baz", [foo]).basename).toBe(
      "s89y431zzhmdn3k8r96rvakryddkpv2v-baz",
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

describe("parseContentAddress()", () => {
  it.each(FIXED)("reads %s %s in every base", (method, algorithm, hex) => {
    const digest = Buffer.from(hex, "hex");
    const ca = { method, algorithm, digest } as ContentAddress;
    const text = formatContentAddress(ca);
    expect(parseContentAddress(text)).toEqual(ca);
    const prefix = text.slice(0, text.lastIndexOf(":"));
    for (const other of [hex, digest.toString("base64")]) {
      expect(parseContentAddress(`${prefix}:${other}`)).toEqual(ca);
    }
  });

  it("reads texts", () => {
    const ca = { method: "text", algorithm: "sha256", digest: Buffer.alloc(32, 3) } as const;
    expect(parseContentAddress(formatContentAddress(ca))).toEqual(ca);
  });

  it("reads what Nix wrote", () => {
    expect(parseContentAddress("fixed:r:sha1:1ak1ymbmsfx7z8kh09jzkr3a4dvkrfjw")).toEqual({
      method: "nar",
      algorithm: "sha1",
      digest: Buffer.from("5cba3c77236ae4f9650270a27fbad375551fa60a", "hex"),
    });
  });

  it.each([
    ["nothing", "", "it is not text:HASH"],
    ["another kind", "git:sha1:1ak1ymbmsfx7z8kh09jzkr3a4dvkrfjw", "it is not text:HASH"],
    ["another method", "fixed:git:sha1:1ak1ymbmsfx7z8kh09jzkr3a4dvkrfjw", "unknown algorithm"],
    ["a digest alone", "fixed:1ak1ymbmsfx7z8kh09jzkr3a4dvkrfjw", "it is not text:HASH"],
    ["SRI", `fixed:sha1-${Buffer.alloc(20).toString("base64")}`, "it is not text:HASH"],
    ["no digest", "fixed:r:sha256:", "0 characters, expected 64 (hex), 52 (nixbase32) or 44"],
    ["another algorithm", `fixed:sha384:${"0".repeat(96)}`, 'unknown algorithm "sha384"'],
    ["a text by sha1", `text:sha1:${"0".repeat(32)}`, "not by sha1"],
    ["bytes after the digest", `text:sha256:${"0".repeat(52)}\n`, "53 characters"],
    ["a digest with a wrong character", `fixed:sha1:${"e".repeat(32)}`, "not in the alphabet"],
  ])("refuses %s", (_title, text, message) => {
    expect(() => parseContentAddress(text)).toThrow(
      expect.objectContaining({
        code: "invalid-argument",
        message: expect.stringContaining(message),
      }),
    );
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
