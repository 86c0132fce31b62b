import { describe, expect, it } from "vitest";
import { type ContentAddress, contentAddressedPath } from "../../src/store/content-address.js";
import { checkContentAddress } from "../../src/store/content-address-check.js";
import type { PathInfo } from "../../src/store/path-info.js";
import { StorePath } from "../../src/store/store-path.js";
import { DUMMY_PATH, DUMMY_PATH_INFO } from "./support/path-info.js";

const sha256 = Buffer.alloc(32, 5);
const nar: ContentAddress = { method: "nar", algorithm: "sha256", digest: sha256 };

function pathInfo(ca: ContentAddress, change: Partial<PathInfo> = {}): PathInfo {
  const references = change.references ?? [];
  const storePath = contentAddressedPath(ca, "x", references);
  return { ...DUMMY_PATH_INFO, storePath, references, narSha256: sha256, ca, ...change };
}

describe("checkContentAddress()", () => {
  it("passes what follows from its content, and what claims nothing", () => {
    const { ca: _ca, ...without } = DUMMY_PATH_INFO;
    checkContentAddress(without);
    checkContentAddress(pathInfo(nar));
    checkContentAddress(pathInfo(nar, { references: [DUMMY_PATH] }));
    checkContentAddress(pathInfo({ method: "flat", algorithm: "sha1", digest: Buffer.alloc(20) }));
    checkContentAddress(pathInfo({ method: "text", algorithm: "sha256", digest: sha256 }));
  });

  it("passes content that refers to itself, whose NAR has another hash", () => {
    const storePath = contentAddressedPath(nar, "x", [DUMMY_PATH], true);
    const references = [storePath, DUMMY_PATH];
    checkContentAddress(pathInfo(nar, { storePath, references, narSha256: Buffer.alloc(32, 6) }));
  });

  it.each<[string, PathInfo]>([
    ["another store path", pathInfo(nar, { storePath: DUMMY_PATH })],
    [
      "another name",
      pathInfo(nar, { storePath: StorePath.from(pathInfo(nar).storePath.hash, "y") }),
    ],
    ["another NAR hash", pathInfo(nar, { narSha256: Buffer.alloc(32, 6) })],
    ["references it was not made with", { ...pathInfo(nar), references: [DUMMY_PATH] }],
    [
      "references it cannot have",
      {
        ...pathInfo({ method: "flat", algorithm: "sha256", digest: sha256 }),
        references: [DUMMY_PATH],
      },
    ],
  ])("refuses %s", (_title, contradictory) => {
    expect(() => checkContentAddress(contradictory)).toThrow(
      expect.objectContaining({
        code: "invalid-argument",
        message: expect.stringContaining(contradictory.storePath.toString()),
      }),
    );
  });
});
