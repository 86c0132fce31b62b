import { join } from "node:path";
import { afterAll, describe } from "vitest";
import { MemoryBlobService } from "../../src/castore/blob/memory.js";
import { MemoryDirectoryService } from "../../src/castore/directory/memory.js";
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

afterAll(async () => {
  for (const store of open.values()) await store.close();
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
    traits: { persistent: false },
    open: async () => new MemoryDirectoryService(),
  }));

describe("LocalDirectoryService", () =>
  directoryServiceConformance({
    traits: { persistent: true },
    open: () => openLocal(({ directories }) => directories),
    reopen: (service) => reopenLocal(service, ({ directories }) => directories),
  }));
