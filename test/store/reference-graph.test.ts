import { describe, expect, it } from "vitest";
import { parseReferenceGraph } from "../../src/store/reference-graph.js";

const A = "/nix/store/11i0w7x0adl6iyydsilpl0nc8v1zc2m4-a";
const B = "/nix/store/vf9s1dz1a2nbnnilsxnaa3ri1c0m9kwg-b";
const DRV = "/nix/store/pngqdzggfqs4q7fg6iywqnlzcgsp85qr-a.drv";
const HASH = "sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=";
const SIGNATURE = `key-1:${Buffer.alloc(64).toString("base64")}`;

const names = (text: string) => parseReferenceGraph(text).map(({ storePath }) => `${storePath}`);

describe("parseReferenceGraph()", () => {
  it("reads what exportReferencesGraph writes, references first", () => {
    const text = `${A}\n${DRV}\n2\n${B}\n${A}\n${B}\n\n0\n`;
    const [b, a] = parseReferenceGraph(text);
    expect([b?.storePath, a?.storePath].map(String)).toEqual([B, A]);
    expect(a?.references.map(String)).toEqual([B, A]);
    expect(`${a?.deriver}.drv`).toBe(DRV);
    expect(b?.deriver).toBeUndefined();
  });

  it("reads the JSON of nix path-info, old and new", () => {
    const about = {
      deriver: DRV,
      narHash: HASH,
      narSize: 112,
      references: [B],
      signatures: [SIGNATURE],
      ultimate: true,
    };
    const other = { narHash: HASH, narSize: 0, references: [], deriver: null, ca: null };
    const old = [
      { path: A, ...about },
      { path: B, ...other },
    ];
    for (const json of [old, { [A]: about, [B]: other }]) {
      const [b, a] = parseReferenceGraph(JSON.stringify(json));
      expect(String(b?.storePath)).toBe(B);
      expect(a).toMatchObject({ narSize: 112n, signatures: [{ name: "key-1" }] });
      expect(`${a?.deriver}.drv`).toBe(DRV);
      expect(a?.narSha256).toHaveLength(32);
    }
  });

  it("takes each path once, an empty graph, and references that are not in it", () => {
    expect(names(`${A}\n\n0\n${A}\n\n0\n`)).toEqual([A]);
    expect(names("")).toEqual([]);
    expect(names("[]")).toEqual([]);
    expect(names(`${A}\n\n1\n${B}\n`)).toEqual([A]);
  });

  it.each([
    ["a path that is none", "/nix/store/short\n\n0\n", /line 1/],
    ["another store", "/gnu/store/11i0w7x0adl6iyydsilpl0nc8v1zc2m4-a\n\n0\n", /line 1/],
    ["a count that is none", `${A}\n\nmany\n`, /line 3.*"many"/],
    ["an end in the middle", `${A}\n\n2\n${B}\n`, /line 5.*reference/],
    ["a deriver that is none", `${A}\n${B}\n0\n`, /line 2.*no derivation/],
    ["broken JSON", "[{", /no JSON/],
    ["an entry without a path", "[{}]", /entry 0/],
    ["a path that Nix lacks", JSON.stringify({ [A]: null }), /not in the store/],
    ["a path that old Nix lacks", JSON.stringify([{ path: A, valid: false }]), /not in the store/],
    ["another hash", JSON.stringify([{ path: A, narHash: "md5:x" }]), /entry 0/],
    ["a negative size", JSON.stringify([{ path: A, narSize: -1 }]), /NAR size/],
    ["a signature that is none", JSON.stringify([{ path: A, signatures: ["x"] }]), /signature/],
  ])("refuses %s, saying where", (_, text, message) => {
    expect(() => parseReferenceGraph(text)).toThrow(
      expect.objectContaining({
        code: "invalid-argument",
        message: expect.stringMatching(message),
      }),
    );
  });
});
