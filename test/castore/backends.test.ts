import { join } from "node:path";
import { afterEach, describe } from "vitest";
import { WriteBehind } from "../../src/base/write-behind.js";
import { CachingBlobService } from "../../src/castore/blob/caching.js";
import { MemoryBlobService } from "../../src/castore/blob/memory.js";
import { WriteBehindBlobService } from "../../src/castore/blob/write-behind.js";
import { CachingDirectoryService } from "../../src/castore/directory/caching.js";
import { MemoryDirectoryService } from "../../src/castore/directory/memory.js";
import { WriteBehindDirectoryService } from "../../src/castore/directory/write-behind.js";
import { LocalStore } from "../../src/castore/local/store.js";
import { blobServiceConformance } from "../conformance/blob-service.js";
import { directoryServiceConformance } from "../conformance/directory-service.js";
import { temporaryFolder } from "../support/temp.js";

const folder = temporaryFolder();
const open = new Map<object, LocalStore>();
let count = 0;

/** Opens a local store and remembers which one a service belongs to. */
async function openLocal<S extends object>(
  pick: (store: LocalStore) => S,
  root = join(folder, String(count++)),
): Promise<S> {
  const store = await LocalStore.open(root);
  open.set(pick(store), store);
  return pick(store);
}

async function reopenLocal<S extends object>(
  service: S,
  pick: (store: LocalStore) => S,
): Promise<S> {
  const store = open.get(service) as LocalStore;
  open.delete(service);
  await store.close();
  return await openLocal(pick, store.layout.root);
}

const writes: WriteBehind<never>[] = [];

function behind<T>(): WriteBehind<T> {
  const onFailure = (error: unknown): never => {
    throw error;
  };
  const write = new WriteBehind<T>({ bytesMax: 1_000_000, delayMs: 1, onFailure });
  writes.push(write as WriteBehind<never>);
  return write;
}

// Each open store takes up a terabyte of addresses, of which there are 128.
afterEach(async () => {
  for (const write of writes.splice(0)) await write.settle();
  for (const store of open.values()) await store.close();
  open.clear();
});

describe("MemoryBlobService", () =>
  blobServiceConformance({
    traits: { persistent: false },
    open: async () => new MemoryBlobService(),
  }));

describe("LocalBlobService", () =>
  blobServiceConformance({
    traits: { persistent: true },
    open: () => openLocal(({ blobs }) => blobs),
    reopen: (service) => reopenLocal(service, ({ blobs }) => blobs),
  }));

describe("MemoryDirectoryService", () =>
  directoryServiceConformance({
    traits: { persistent: false, alone: true },
    open: async () => new MemoryDirectoryService(),
  }));

describe("LocalDirectoryService", () =>
  directoryServiceConformance({
    traits: { persistent: true, alone: true },
    open: () => openLocal(({ directories }) => directories),
    reopen: (service) => reopenLocal(service, ({ directories }) => directories),
  }));

describe("CachingBlobService over memory", () =>
  blobServiceConformance({
    traits: { persistent: false },
    open: async () =>
      new CachingBlobService({ near: new MemoryBlobService(), far: new MemoryBlobService() }),
  }));

describe("CachingBlobService, memory in front of a local store", () =>
  blobServiceConformance({
    traits: { persistent: false },
    open: async () =>
      new CachingBlobService({
        near: new MemoryBlobService(),
        far: await openLocal(({ blobs }) => blobs),
      }),
  }));

describe("CachingBlobService, a local store in front of memory", () =>
  blobServiceConformance({
    traits: { persistent: false },
    open: async () =>
      new CachingBlobService({
        near: await openLocal(({ blobs }) => blobs),
        far: new MemoryBlobService(),
      }),
  }));

describe("WriteBehindBlobService", () =>
  blobServiceConformance({
    traits: { persistent: false },
    open: async () =>
      new WriteBehindBlobService(await openLocal(({ blobs }) => blobs), behind(), 1000),
  }));

describe("WriteBehindDirectoryService", () =>
  directoryServiceConformance({
    traits: { persistent: false, alone: true },
    open: async () =>
      new WriteBehindDirectoryService(await openLocal(({ directories }) => directories), behind()),
  }));

describe("CachingDirectoryService over memory", () =>
  directoryServiceConformance({
    traits: { persistent: false, alone: true },
    open: async () =>
      new CachingDirectoryService({
        near: new MemoryDirectoryService(),
        far: new MemoryDirectoryService(),
      }),
  }));

describe("CachingDirectoryService, a local store in front of memory", () =>
  directoryServiceConformance({
    traits: { persistent: false, alone: true },
    open: async () =>
      new CachingDirectoryService({
        near: await openLocal(({ directories }) => directories),
        far: new MemoryDirectoryService(),
      }),
  }));
