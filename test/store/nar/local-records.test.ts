import { join } from "node:path";
import { afterEach, describe, expect, it } from "vitest";
import { StoreError } from "../../../src/base/errors.js";
import { LocalStore } from "../../../src/castore/local/store.js";
import { importNar } from "../../../src/store/import/import-nar.js";
import { NarCalculator } from "../../../src/store/nar/calculation.js";
import { findNarRoot } from "../../../src/store/nar/find-root.js";
import { LocalNarRecords } from "../../../src/store/nar/local-records.js";
import { LocalPathInfoService } from "../../../src/store/path-info/local.js";
import { temporaryFolder } from "../../support/temp.js";
import { failFrom, StepCounts, WatchedBlobService } from "../../support/watched-services.js";
import { DUMMY_PATH_INFO } from "../support/path-info.js";
import { file, memoryServices, storeTree, symlink } from "../support/tree.js";
import { narOf } from "./support/nar.js";

const folder = temporaryFolder();
const stores: LocalStore[] = [];
let count = 0;

async function open(root = join(folder, String(count++))): Promise<LocalStore> {
  const store = await LocalStore.open(root);
  stores.push(store);
  return store;
}

afterEach(async () => {
  for (const store of stores.splice(0)) await store.close();
});

const TREE = file("content", true);
const NAR = narOf(TREE);

describe("LocalNarRecords", () => {
  it("keeps what was calculated, both ways, until the store is opened again", async () => {
    const store = await open();
    const services = { blobs: store.blobs, directories: store.directories };
    const node = await storeTree(TREE, services);
    const hash = await new NarCalculator(services, new LocalNarRecords(store.index)).calculate(
      node,
    );
    const root = store.layout.root;
    await store.close();
    stores.pop();

    const again = new LocalNarRecords((await open(root)).index);
    expect(await again.hash(node)).toEqual(hash);
    expect(await again.root(hash.narSha256)).toEqual({ node, narSize: hash.narSize });
  });

  it("knows nothing of nodes that differ in their executable bit, size or target", async () => {
    const store = await open();
    const records = new LocalNarRecords(store.index);
    const hash = { narSha256: Buffer.alloc(32, 1), narSize: 1n };
    const node = await storeTree(TREE, memoryServices());
    if (node.type !== "file") throw new Error("It is a file");
    await records.remember(node, hash);
    expect(await records.hash(node)).toEqual(hash);
    expect(await records.hash({ ...node, executable: false })).toBeUndefined();
    expect(await records.hash({ ...node, size: 8n })).toBeUndefined();
    const link = await storeTree(symlink("a".repeat(4095)), memoryServices());
    expect(await records.hash(link)).toBeUndefined();
    await records.remember(link, hash);
    expect(await records.hash(link)).toEqual(hash);
    expect(await records.root(Buffer.alloc(32))).toBeUndefined();
  });

  it.each(["nars", "nar-hashes"])("calls a damaged record of %s damaged", async (table) => {
    const store = await open();
    const records = new LocalNarRecords(store.index);
    const node = await storeTree(TREE, memoryServices());
    const hash = { narSha256: Buffer.alloc(32, 1), narSize: 1n };
    await records.remember(node, hash);
    for (const damage of ["", "0a", "0a0100", "1005"]) {
      await store.index.commit(() => {
        for (const key of [...store.index.table(table).keys()]) {
          store.index.table(table).put(key, Buffer.from(damage, "hex"));
        }
      }, 0);
      const read = table === "nars" ? records.root(hash.narSha256) : records.hash(node);
      await expect(read).rejects.toMatchObject({ code: "corrupt" });
    }
  });

  it("is not overwritten by what a path info states", async () => {
    const store = await open();
    const records = new LocalNarRecords(store.index);
    const node = await storeTree(TREE, memoryServices());
    await records.remember(node, { narSha256: DUMMY_PATH_INFO.narSha256, narSize: 5n });
    await new LocalPathInfoService(store.index).put(DUMMY_PATH_INFO);
    expect(await records.root(DUMMY_PATH_INFO.narSha256)).toEqual({ node, narSize: 5n });
  });
});

describe("NarCalculator with records", () => {
  it("renders nothing that an import has hashed", async () => {
    const store = await open();
    const counts = new StepCounts();
    const services = {
      blobs: new WatchedBlobService(store.blobs, counts.hook),
      directories: store.directories,
    };
    const nars = new LocalNarRecords(store.index);
    const pathInfos = new LocalPathInfoService(store.index);
    const source = (async function* () {
      yield NAR;
    })();
    const { node, narSha256, narSize } = await importNar(source, "name", {
      ...services,
      pathInfos,
      nars,
    });
    expect(await new NarCalculator(services, nars).calculate(node)).toEqual({ narSha256, narSize });
    expect(counts.of("openRead")).toBe(0);
  });

  it("gives its result though it cannot be kept, and renders for a damaged record", async () => {
    const services = memoryServices();
    const node = await storeTree(TREE, services);
    const failing = {
      root: async () => undefined,
      hash: async () => {
        throw new StoreError("corrupt", "damaged by a test");
      },
      remember: async () => {
        throw new StoreError("unavailable", "no space left");
      },
    };
    const { narSize } = await new NarCalculator(services, failing).calculate(node);
    expect(narSize).toBe(BigInt(NAR.length));
  });
});

describe("findNarRoot()", () => {
  it("finds what is in the store, and believes no path info without looking", async () => {
    const store = await open();
    const services = { blobs: store.blobs, directories: store.directories };
    const records = new LocalNarRecords(store.index);
    const calculator = new NarCalculator(services, records);
    const node = await storeTree(TREE, services);
    const { narSha256, narSize } = await new NarCalculator(services).calculate(node);
    expect(await findNarRoot(narSha256, records, calculator)).toBeUndefined();

    const pathInfos = new LocalPathInfoService(store.index);
    await pathInfos.put({ ...DUMMY_PATH_INFO, node, narSha256, narSize });
    expect(await findNarRoot(narSha256, records, calculator)).toEqual({ node, narSize });
    // A lie, and content that is not here.
    const wrong = Buffer.alloc(32, 9);
    const { ca: _ca, ...claim } = DUMMY_PATH_INFO;
    await (await open()).close();
    const other = await open();
    const claims = new LocalNarRecords(other.index);
    await new LocalPathInfoService(other.index).put({ ...claim, node, narSha256: wrong, narSize });
    expect(await findNarRoot(wrong, claims, calculator)).toBeUndefined();
    await claims.remember(DUMMY_PATH_INFO.node, { narSha256: Buffer.alloc(32, 8), narSize: 1n });
    expect(await findNarRoot(Buffer.alloc(32, 8), claims, calculator)).toBeUndefined();
  });

  it("takes a failing service for no absence", async () => {
    const { blobs, directories } = memoryServices();
    const node = await storeTree(TREE, { blobs, directories });
    const failing = { blobs: new WatchedBlobService(blobs, failFrom("openRead")), directories };
    const records = {
      root: async () => ({ node, narSize: 1n }),
      hash: async () => undefined,
      remember: async () => {},
    };
    await expect(
      findNarRoot(Buffer.alloc(32), records, new NarCalculator(failing)),
    ).rejects.toMatchObject({ code: "unavailable" });
  });
});
