import { describe, expect, it } from "vitest";
import type { PathInfoService } from "../../src/store/path-info/service.js";
import type { PathInfo, Signature } from "../../src/store/path-info.js";
import { encodePathInfo } from "../../src/store/path-info-codec.js";
import { StorePath } from "../../src/store/store-path.js";
import { DUMMY_PATH, DUMMY_PATH_INFO } from "../store/support/path-info.js";

export interface PathInfoBackend {
  /** `list`: it can tell what it has. `persistent`: {@link reopen} finds again what was put. */
  readonly traits: { readonly persistent: boolean; readonly list: boolean };
  open(): Promise<PathInfoService>;
  reopen?(service: PathInfoService): Promise<PathInfoService>;
}

/** Servers check content addresses; this path has none that fits. */
const { ca: _ca, ...dummy } = DUMMY_PATH_INFO;

const other: PathInfo = {
  storePath: StorePath.from(new Uint8Array(20).fill(7), "other"),
  node: { type: "symlink", target: Buffer.from("somewhere") },
  references: [DUMMY_PATH],
  narSize: 2n ** 64n - 1n,
  narSha256: new Uint8Array(32).fill(9),
  signatures: [],
  deriver: StorePath.from(new Uint8Array(20).fill(8), "other-source"),
};

function signed(pathInfo: PathInfo, ...bytes: number[]): PathInfo {
  const signatures = bytes.map(
    (byte): Signature => ({ name: `key-${byte}`, data: new Uint8Array(64).fill(byte) }),
  );
  return { ...pathInfo, signatures };
}

/** As hex of the canonical encoding: equal exactly when every field is. */
function text(pathInfo: PathInfo | undefined): string | undefined {
  return pathInfo === undefined ? undefined : encodePathInfo(pathInfo).toString("hex");
}

async function listed(service: PathInfoService): Promise<(string | undefined)[]> {
  const found: (string | undefined)[] = [];
  for await (const pathInfo of service.list()) found.push(text(pathInfo));
  return found.sort();
}

export function pathInfoServiceConformance({ traits, open, reopen }: PathInfoBackend): void {
  it("knows nothing of a store path that was never stored", async () => {
    const service = await open();
    expect(await service.get(DUMMY_PATH.hash)).toBeUndefined();
    await service.put(other);
    expect(await service.get(DUMMY_PATH.hash)).toBeUndefined();
  });

  it("gives back what was put, and says so at once", async () => {
    const service = await open();
    for (const pathInfo of [dummy, signed(other, 1, 2)]) {
      expect(text(await service.put(pathInfo))).toBe(text(pathInfo));
      expect(text(await service.get(pathInfo.storePath.hash))).toBe(text(pathInfo));
    }
  });

  it("merges signatures, each once", async () => {
    const service = await open();
    await service.put(signed(other, 1, 2));
    const merged = text(signed(other, 1, 2, 3));
    expect(text(await service.put(signed(other, 3, 2)))).toBe(merged);
    expect(text(await service.get(other.storePath.hash))).toBe(merged);
    expect(text(await service.put(other))).toBe(merged);
  });

  it("keeps every signature of puts that overlap", async () => {
    const service = await open();
    await Promise.all([1, 2, 3, 4].map((byte) => service.put(signed(other, byte))));
    const stored = await service.get(other.storePath.hash);
    expect(stored?.signatures.map(({ name }) => name).sort()).toEqual([
      "key-1",
      "key-2",
      "key-3",
      "key-4",
    ]);
  });

  it.each<[string, Partial<PathInfo>]>([
    ["another name", { storePath: StorePath.from(other.storePath.hash, "renamed") }],
    ["another node", { node: dummy.node }],
    ["another NAR size", { narSize: 1n }],
    ["another deriver", { deriver: DUMMY_PATH }],
  ])("refuses a contradiction and changes nothing: %s", async (_title, change) => {
    const service = await open();
    await service.put(signed(other, 1));
    await expect(service.put({ ...signed(other, 2), ...change })).rejects.toMatchObject({
      code: "invalid-argument",
    });
    expect(text(await service.get(other.storePath.hash))).toBe(text(signed(other, 1)));
  });

  it("refuses a path info that breaks a rule", async () => {
    const service = await open();
    await expect(service.put({ ...other, narSha256: new Uint8Array(31) })).rejects.toMatchObject({
      code: "invalid-argument",
    });
    expect(await service.get(other.storePath.hash)).toBeUndefined();
  });

  it.each([0, 19, 21, 32])("refuses to look for a hash of %i bytes", async (length) => {
    const service = await open();
    await expect(service.get(new Uint8Array(length))).rejects.toMatchObject({
      code: "invalid-argument",
    });
  });

  describe.skipIf(!traits.list)("list()", () => {
    it("finds nothing in an empty service", async () => {
      expect(await listed(await open())).toEqual([]);
    });

    it("finds every path info once, as it is stored now", async () => {
      const service = await open();
      await service.put(dummy);
      await service.put(signed(other, 1));
      await service.put(signed(other, 2));
      expect(await listed(service)).toEqual([text(dummy), text(signed(other, 1, 2))].sort());
    });

    it("may be left early, and be run while others put", async () => {
      const service = await open();
      await service.put(dummy);
      await service.put(other);
      for await (const _pathInfo of service.list()) break;
      for await (const pathInfo of service.list()) await service.put(signed(pathInfo, 5));
      expect(await listed(service)).toEqual(
        [text(signed(dummy, 5)), text(signed(other, 5))].sort(),
      );
    });
  });

  describe.skipIf(!traits.persistent)("persistent", () => {
    it("finds a path info again after reopening", async () => {
      const service = await open();
      await service.put(signed(other, 1));
      const again = await reopen?.(service);
      if (again === undefined) throw new Error("a persistent backend must say how to reopen it");
      expect(text(await again.get(other.storePath.hash))).toBe(text(signed(other, 1)));
    });
  });
}
