import { join } from "node:path";
import { afterEach, describe, expect, it } from "vitest";
import { LocalStore } from "../../../src/castore/local/store.js";
import { CachingPathInfoService } from "../../../src/store/path-info/caching.js";
import { LocalPathInfoService } from "../../../src/store/path-info/local.js";
import { MemoryPathInfoService } from "../../../src/store/path-info/memory.js";
import { pathInfoServiceConformance } from "../../conformance/path-info-service.js";
import { temporaryFolder } from "../../support/temp.js";
import { DUMMY_PATH, DUMMY_PATH_INFO } from "../support/path-info.js";

const folder = temporaryFolder();
const stores = new Map<LocalPathInfoService, LocalStore>();
let count = 0;

async function open(root = join(folder, String(count++))): Promise<LocalPathInfoService> {
  const store = await LocalStore.open(root);
  const service = new LocalPathInfoService(store.index);
  stores.set(service, store);
  return service;
}

function storeOf(service: LocalPathInfoService): LocalStore {
  return stores.get(service) as LocalStore;
}

// Each open store takes up a terabyte of addresses, of which there are 128.
afterEach(async () => {
  for (const store of stores.values()) await store.close();
  stores.clear();
});

describe("CachingPathInfoService, a local store in front of memory", () =>
  pathInfoServiceConformance({
    traits: { persistent: false, list: true },
    open: async () =>
      new CachingPathInfoService({ near: await open(), far: new MemoryPathInfoService() }),
  }));

describe("LocalPathInfoService", () => {
  pathInfoServiceConformance({
    traits: { persistent: true, list: true },
    open,
    reopen: async (service) => {
      const store = storeOf(service as LocalPathInfoService);
      stores.delete(service as LocalPathInfoService);
      await store.close();
      return await open(store.layout.root);
    },
  });

  it("tells when the set of store paths changed, and only then", async () => {
    const service = await open();
    expect(service.changedAtMs()).toBe(0);
    await service.put(DUMMY_PATH_INFO);
    const { index } = storeOf(service);
    index.refresh();
    const first = service.changedAtMs();
    expect(first).toBeGreaterThan(Date.UTC(2020));
    await service.put(DUMMY_PATH_INFO);
    index.refresh();
    expect(service.changedAtMs()).toBe(first);
  });

  it("decodes what is asked for again only when it has changed, whoever changed it", async () => {
    const service = await open();
    const { index } = storeOf(service);
    await service.put(DUMMY_PATH_INFO);
    const first = await service.get(DUMMY_PATH.hash);
    expect(await service.get(DUMMY_PATH.hash)).toBe(first);

    const signatures = [{ name: "key-1", data: new Uint8Array(64) }];
    await new LocalPathInfoService(index).put({ ...DUMMY_PATH_INFO, signatures });
    expect(await service.get(DUMMY_PATH.hash)).toMatchObject({ signatures: [{ name: "key-1" }] });

    const damaged = () =>
      index.table("path-infos").put(DUMMY_PATH.hash, Buffer.from("0aff", "hex"));
    await index.commit(damaged, 0);
    await expect(service.get(DUMMY_PATH.hash)).rejects.toMatchObject({ code: "corrupt" });
    await index.commit(() => index.table("path-infos").remove(DUMMY_PATH.hash), 0);
    expect(await service.get(DUMMY_PATH.hash)).toBeUndefined();
  });

  it("remembers which root node a NAR hash stands for", async () => {
    const service = await open();
    await service.put(DUMMY_PATH_INFO);
    const { index } = storeOf(service);
    index.refresh();
    const record = index.table("nars").get(DUMMY_PATH_INFO.narSha256);
    // Node { directory { digest: 32 zero bytes } }, no NAR size: it is 0.
    const node = `0a22${"1220"}${"00".repeat(32)}`;
    expect(Buffer.from(record ?? []).toString("hex")).toBe(`0a24${node}`);
  });

  it.each([
    ["bytes that are no path info", Buffer.from("0aff", "hex")],
    ["nothing", Buffer.alloc(0)],
  ])("calls a record damaged that holds %s", async (_title, value) => {
    const service = await open();
    const { index } = storeOf(service);
    await index.commit(() => index.table("path-infos").put(DUMMY_PATH.hash, value), 0);
    await expect(service.get(DUMMY_PATH.hash)).rejects.toMatchObject({
      code: "corrupt",
      message: expect.stringContaining("0".repeat(32)),
    });
  });
});
