import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { narinfoFromPathInfo, pathInfoFromNarinfo } from "../../../src/store/narinfo/conversion.js";
import { formatNarinfo, type Narinfo } from "../../../src/store/narinfo/narinfo.js";
import { parseNarinfo } from "../../../src/store/narinfo/parse.js";
import type { PathInfo } from "../../../src/store/path-info.js";
import { isKeyName } from "../../../src/store/signature/key-name.js";
import { StorePath } from "../../../src/store/store-path.js";
import { CURL_NARINFO, CURL_REFERENCES } from "../support/narinfos.js";
import { DUMMY_PATH_INFO, pathInfoArbitrary } from "../support/path-info.js";

const parse = (text: string): Narinfo => parseNarinfo(Buffer.from(text));
const FILE = { url: "nar/x.nar", compression: "none" };

describe("formatNarinfo()", () => {
  it.each<[string, string]>([
    ["a narinfo with everything", CURL_NARINFO],
    [
      "no references, uncompressed, content-addressed",
      `StorePath: /nix/store/pa10z4ngm0g83kx9mssrqzz30s84vq7k-hello-2.12.1.tar.gz
URL: nar/1lvqpbk2k1sb39z8jfxixf7p7v8sj4z6mmpa44nnmff3w1y6h8lh.nar
Compression: none
NarHash: sha256:1lvqpbk2k1sb39z8jfxixf7p7v8sj4z6mmpa44nnmff3w1y6h8lh
NarSize: 1033416
References: 
Deriver: 5rwxzi7pal3qhpsyfc16gzkh939q1np6-hello-2.12.1.tar.gz.drv
Sig: a_b+c:${"A".repeat(86)}==
CA: fixed:sha256:086vqwk2wl8zfs47sq2xpjc9k066ilmb8z6dn0q6ymwjzlm196cd
`,
    ],
  ])("gives back %s", (_title, text) => {
    expect(formatNarinfo(parse(text))).toBe(text);
  });

  it("names the compression that was not named", () => {
    const text = CURL_NARINFO.replace("Compression: xz\n", "");
    expect(formatNarinfo(parse(text))).toContain("\nCompression: bzip2\n");
  });

  it.each([
    ["url", { url: "a\nSig: b" }],
    ["compression", { compression: "none\r" }],
    ["system", { system: "\0" }],
  ])("refuses to write two lines for one: %s", (_title, change) => {
    expect(() => formatNarinfo({ ...parse(CURL_NARINFO), ...change })).toThrow(
      expect.objectContaining({ code: "invalid-argument" }),
    );
  });
});

/** What becomes of a path info on its way through a narinfo. */
function normal(pathInfo: PathInfo): PathInfo {
  const references = new Map(pathInfo.references.map((each) => [each.basename, each]));
  return {
    ...pathInfo,
    references: [...references.keys()].sort().map((name) => references.get(name) as never),
    signatures: pathInfo.signatures.filter(({ name }) => isKeyName(name)),
  };
}

describe("A path info", () => {
  it("survives as a narinfo, whatever it is", () => {
    fc.assert(
      fc.property(pathInfoArbitrary, (pathInfo) => {
        fc.pre(pathInfo.narSize > 0n);
        // A deriver is written with .drv, which a store path of the longest name has no room for.
        fc.pre((pathInfo.deriver?.name.length ?? 0) <= 207);
        const text = formatNarinfo(narinfoFromPathInfo(pathInfo, FILE));
        const back = pathInfoFromNarinfo(parse(text), pathInfo.node);
        expect(back).toEqual(normal(pathInfo));
      }),
    );
  });

  it("with a signature by a name no key can have does not pass it on", () => {
    const name = `x\nStorePath: /nix/store/${"0".repeat(32)}-evil`;
    const signatures = [
      { name, data: Buffer.alloc(64) },
      { name: "good", data: Buffer.alloc(64) },
    ];
    const text = formatNarinfo(narinfoFromPathInfo({ ...DUMMY_PATH_INFO, signatures }, FILE));
    expect(text.match(/^(?!Sig).*evil.*|^Sig.*$/gm)).toEqual([`Sig: good:${"A".repeat(86)}==`]);
  });

  it("does not name a deriver that has no room for .drv", () => {
    const named = (length: number): string => {
      const deriver = StorePath.from(DUMMY_PATH_INFO.storePath.hash, "n".repeat(length));
      return formatNarinfo(narinfoFromPathInfo({ ...DUMMY_PATH_INFO, deriver }, FILE));
    };
    expect(parse(named(207).replace("NarSize: 0", "NarSize: 1")).deriver?.name).toHaveLength(207);
    expect(named(208)).not.toContain("Deriver");
  });

  it("made of a narinfo has its references sorted, each once", () => {
    const [a, b] = CURL_REFERENCES;
    const text = CURL_NARINFO.replace(
      /References: .*/,
      `References: ${[b, a, b].map((each) => each?.basename).join(" ")}`,
    );
    expect(pathInfoFromNarinfo(parse(text), DUMMY_PATH_INFO.node).references).toEqual([a, b]);
  });
});
