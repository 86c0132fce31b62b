import { describe, expect, it } from "vitest";
import { fingerprint } from "../../../src/store/narinfo/fingerprint.js";
import { MemoryPathInfoService } from "../../../src/store/path-info/memory.js";
import type { PathInfoService } from "../../../src/store/path-info/service.js";
import { SigningPathInfoService } from "../../../src/store/path-info/signing.js";
import type { PathInfo } from "../../../src/store/path-info.js";
import { SecretKey } from "../../../src/store/signature/secret-key.js";
import { pathInfoServiceConformance } from "../../conformance/path-info-service.js";
import { TEST_SECRET_KEY } from "../support/narinfos.js";
import { DUMMY_PATH_INFO } from "../support/path-info.js";

const key = SecretKey.parse(TEST_SECRET_KEY);
const { hash } = DUMMY_PATH_INFO.storePath;

/** Hides the signatures of the key, which the suite does not expect. */
class Unsigned implements PathInfoService {
  readonly #inner: PathInfoService;

  constructor(inner: PathInfoService) {
    this.#inner = inner;
  }

  async get(hash: Uint8Array) {
    const found = await this.#inner.get(hash);
    return found && this.#strip(found);
  }

  async put(pathInfo: PathInfo) {
    return this.#strip(await this.#inner.put(pathInfo));
  }

  async *list() {
    for await (const pathInfo of this.#inner.list()) yield this.#strip(pathInfo);
  }

  #strip(pathInfo: PathInfo): PathInfo {
    const signatures = pathInfo.signatures.filter(({ name }) => name !== key.name);
    return { ...pathInfo, signatures };
  }
}

describe("SigningPathInfoService", () => {
  pathInfoServiceConformance({
    traits: { persistent: false, list: true },
    open: async () => new Unsigned(new SigningPathInfoService(new MemoryPathInfoService(), key)),
  });

  it("signs what is put, and tells so", async () => {
    const inner = new MemoryPathInfoService();
    const stored = await new SigningPathInfoService(inner, key).put(DUMMY_PATH_INFO);
    expect(stored.signatures.map(({ name }) => name)).toEqual([key.name]);
    expect(key.publicKey.verify(fingerprint(stored), stored.signatures[0] as never)).toBe(true);
    expect(await inner.get(hash)).toEqual(stored);
  });

  it("does not sign again what it has signed, and keeps the signatures of others", async () => {
    const other = SecretKey.generate("other");
    const inner = new MemoryPathInfoService();
    const once = new SigningPathInfoService(inner, key);
    const twice = new SigningPathInfoService(new SigningPathInfoService(inner, other), key);
    await once.put(await once.put(DUMMY_PATH_INFO));
    const stored = await twice.put((await once.get(hash)) as PathInfo);
    expect(stored.signatures.map(({ name }) => name)).toEqual([key.name, "other"]);
  });

  it("signs beside a signature by its name that does not hold", async () => {
    const forged = { name: key.name, data: Buffer.alloc(64) };
    const service = new SigningPathInfoService(new MemoryPathInfoService(), key);
    const stored = await service.put({ ...DUMMY_PATH_INFO, signatures: [forged] });
    expect(stored.signatures).toEqual([forged, key.sign(fingerprint(DUMMY_PATH_INFO))]);
  });

  it("leaves what others put as it is", async () => {
    const inner = new MemoryPathInfoService();
    await inner.put(DUMMY_PATH_INFO);
    const service = new SigningPathInfoService(inner, key);
    expect((await service.get(hash))?.signatures).toEqual([]);
    for await (const listed of service.list()) expect(listed.signatures).toEqual([]);
  });
});
