/**
 * From addresses to services: the one place that knows every backend.
 */
import { resolve } from "node:path";
import { isStoreError, StoreError } from "../base/errors.js";
import { MemoryBlobService } from "../castore/blob/memory.js";
import type { BlobService } from "../castore/blob/service.js";
import { MemoryDirectoryService } from "../castore/directory/memory.js";
import type { DirectoryService } from "../castore/directory/service.js";
import { LocalStore } from "../castore/local/store.js";
import { LocalPathInfoService } from "../store/path-info/local.js";
import { MemoryPathInfoService } from "../store/path-info/memory.js";
import type { PathInfoService } from "../store/path-info/service.js";
import { type Address, parseAddress } from "./address.js";
import { UsageError } from "./usage-error.js";

export interface StoreArguments {
  readonly storeDir: string;
  readonly blobServiceAddr?: string | undefined;
  readonly directoryServiceAddr?: string | undefined;
  readonly pathInfoServiceAddr?: string | undefined;
}

export interface Services extends AsyncDisposable {
  readonly blobs: BlobService;
  readonly directories: DirectoryService;
  readonly pathInfos: PathInfoService;
}

/** The local stores behind the three services, which a mount reads from. */
export interface LocalStores extends AsyncDisposable {
  readonly blobs: LocalStore;
  readonly directories: LocalStore;
  readonly pathInfos: LocalStore;
}

/**
 * Opens the services the options name. With `create`, local stores that do not exist are made.
 *
 * @throws {UsageError} for a bad address. @throws {StoreError} `not-found` for a store that is not there.
 */
export async function openServices(
  options: StoreArguments,
  mode: { readonly create: boolean },
): Promise<Services> {
  const stores = new OpenStores(mode.create);
  return await stores.guard(async () => {
    const [blobs, directories, pathInfos] = addressesOf(options);
    const local = (address: Address) =>
      address.scheme === "local" ? stores.open(address.folder) : undefined;
    return {
      blobs: (await local(blobs))?.blobs ?? new MemoryBlobService(),
      directories: (await local(directories))?.directories ?? new MemoryDirectoryService(),
      pathInfos: await pathInfoService(await local(pathInfos)),
      [Symbol.asyncDispose]: () => stores.close(),
    };
  });
}

/**
 * Opens the local stores the options name, making those that do not exist.
 *
 * @throws {UsageError} for a bad address. @throws {StoreError} `unsupported` when one is not local.
 */
export async function openLocalStores(options: StoreArguments): Promise<LocalStores> {
  const stores = new OpenStores(true);
  return await stores.guard(async () => {
    const folders = addressesOf(options).map((address) => {
      if (address.scheme === "local") return address.folder;
      throw new StoreError(
        "unsupported",
        `A mount reads from local stores; ${address.scheme}:// holds nothing that outlives a command`,
      );
    }) as [string, string, string];
    return {
      blobs: await stores.open(folders[0]),
      directories: await stores.open(folders[1]),
      pathInfos: await stores.open(folders[2]),
      [Symbol.asyncDispose]: () => stores.close(),
    };
  });
}

function addressesOf(options: StoreArguments): [Address, Address, Address] {
  const fallback: Address = { scheme: "local", folder: options.storeDir };
  const read = (text: string | undefined) => (text === undefined ? fallback : addressOf(text));
  return [
    read(options.blobServiceAddr),
    read(options.directoryServiceAddr),
    read(options.pathInfoServiceAddr),
  ];
}

function addressOf(text: string): Address {
  try {
    return parseAddress(text);
  } catch (error) {
    throw isStoreError(error) ? new UsageError(error.message) : error;
  }
}

async function pathInfoService(store: LocalStore | undefined): Promise<PathInfoService> {
  return store === undefined ? new MemoryPathInfoService() : new LocalPathInfoService(store.index);
}

/** Each folder is opened once, whichever services live in it. */
class OpenStores {
  readonly #create: boolean;
  readonly #stores = new Map<string, LocalStore>();

  constructor(create: boolean) {
    this.#create = create;
  }

  async open(folder: string): Promise<LocalStore> {
    const path = resolve(folder);
    const known = this.#stores.get(path);
    if (known !== undefined) return known;
    const store = await (this.#create ? LocalStore.open(path) : LocalStore.openExisting(path));
    this.#stores.set(path, store);
    return store;
  }

  /** Runs `open`, and closes what was opened when it fails. */
  async guard<T>(open: () => Promise<T>): Promise<T> {
    try {
      return await open();
    } catch (error) {
      await this.close();
      throw error;
    }
  }

  async close(): Promise<void> {
    for (const store of this.#stores.values()) await store.close();
  }
}
