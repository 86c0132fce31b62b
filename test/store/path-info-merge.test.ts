import { describe, expect, it } from "vitest";
import { B3Digest } from "../../src/castore/digest.js";
import type { PathInfo, Signature } from "../../src/store/path-info.js";
import { mergePathInfos, pathInfoAfterPut } from "../../src/store/path-info-merge.js";
import { StorePath } from "../../src/store/store-path.js";
import { DUMMY_PATH, DUMMY_PATH_INFO } from "./support/path-info.js";

const ones = (length: number): Uint8Array => new Uint8Array(length).fill(1);
const OTHER_PATH = StorePath.from(ones(20), "other");
const signature = (name: string, byte: number): Signature => ({
  name,
  data: new Uint8Array(64).fill(byte),
});

describe("mergePathInfos()", () => {
  it("keeps the stored one when the other says nothing new", () => {
    const stored = { ...DUMMY_PATH_INFO, signatures: [signature("a", 1)] };
    const copy = { ...stored, signatures: [signature("a", 1), signature("a", 1)] };
    expect(mergePathInfos(stored, copy)).toBe(stored);
    expect(mergePathInfos(stored, DUMMY_PATH_INFO)).toBe(stored);
  });

  it("adds new signatures behind the stored ones, each once", () => {
    const stored = { ...DUMMY_PATH_INFO, signatures: [signature("a", 1), signature("b", 2)] };
    const added = {
      ...DUMMY_PATH_INFO,
      signatures: [
        signature("c", 3),
        signature("b", 2),
        signature("a", 9),
        signature("c", 3),
        signature("d", 1),
      ],
    };
    expect(mergePathInfos(stored, added)).toEqual({
      ...DUMMY_PATH_INFO,
      signatures: [
        signature("a", 1),
        signature("b", 2),
        signature("c", 3),
        signature("a", 9),
        signature("d", 1),
      ],
    });
    expect(stored.signatures).toHaveLength(2);
  });

  it.each<[string, Partial<PathInfo>]>([
    ["store path", { storePath: StorePath.from(DUMMY_PATH.hash, "other") }],
    ["root node", { node: { type: "directory", digest: B3Digest.from(ones(32)), size: 0n } }],
    ["root node", { node: { type: "symlink", target: Buffer.from("a") } }],
    ["NAR size", { narSize: 1n }],
    ["NAR SHA-256", { narSha256: ones(32) }],
    ["references", { references: [] }],
    ["references", { references: [OTHER_PATH] }],
    ["deriver", { deriver: OTHER_PATH }],
    ["content address", { ca: { method: "nar", algorithm: "sha256", digest: ones(32) } }],
    [
      "content address",
      { ca: { method: "flat", algorithm: "sha256", digest: new Uint8Array(32) } },
    ],
  ])("refuses another %s", (field, change) => {
    const stored = { ...DUMMY_PATH_INFO, deriver: DUMMY_PATH };
    expect(() => mergePathInfos(stored, { ...stored, ...change })).toThrow(
      expect.objectContaining({
        code: "invalid-argument",
        message: expect.stringContaining(`its ${field} differs`),
      }),
    );
  });

  it("does not mind a deriver or content address that only one side knows", () => {
    const { ca: _ca, ...bare } = DUMMY_PATH_INFO;
    const full = { ...DUMMY_PATH_INFO, deriver: OTHER_PATH };
    expect(mergePathInfos(full, bare)).toBe(full);
    expect(mergePathInfos(bare, full)).toBe(bare);
  });
});

describe("pathInfoAfterPut()", () => {
  const stored = { ...DUMMY_PATH_INFO, signatures: [signature("a", 1)] };
  const other = { ...DUMMY_PATH_INFO, narSize: 7n, signatures: [signature("b", 2)] };

  it("is what was put where there was nothing", () => {
    expect(pathInfoAfterPut(undefined, other)).toBe(other);
  });

  it("refuses a contradiction, unless it may overwrite", () => {
    expect(() => pathInfoAfterPut(stored, other)).toThrow("NAR size");
    expect(pathInfoAfterPut(stored, other, { overwrite: true })).toBe(other);
  });

  it("merges what does not contradict, even where it may overwrite", () => {
    const added = { ...DUMMY_PATH_INFO, signatures: [signature("b", 2)] };
    expect(pathInfoAfterPut(stored, added, { overwrite: true }).signatures).toHaveLength(2);
  });
});
