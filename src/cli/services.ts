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
import { LocalUploadRecords } from "../http/local-upload-records.js";
import type { UploadRecords } from "../http/upload-records.js";
import { LocalNarRecords } from "../store/nar/local-records.js";
import type { NarRecords } from "../store/nar/records.js";
import { LocalPathInfoService } from "../store/path-info/local.js";
import { MemoryPathInfoService } from "../store/path-info/memory.js";
import type { PathInfoService } from "../store/path-info/service.js";
import { type Address, isRemote, parseAddress } from "./address.js";
import type { RemoteServices } from "./remote-services.js";
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
  /** What the local store of the path infos knows of NARs; none when they are elsewhere. */
  readonly nars: NarRecords | undefined;
  /** Where the same store remembers uploads over HTTP. */
  readonly uploads: UploadRecords | undefined;
}

/** The local stores behind the three services, which a mount reads from. */
export interface LocalStores extends AsyncDisposable {
  readonly blobs: LocalStore;
  readonly directories: LocalStore;
  readonly pathInfos: LocalStore;
}

/** The services behind the local stores of a mount: `undefined` where the local store is all there is. */
export interface FarServices {
  readonly blobs: BlobService | undefined;
  readonly directories: DirectoryService | undefined;
  readonly pathInfos: PathInfoService | undefined;
}

/** The addresses of the three services. */
export interface Addresses {
  readonly blobs: Address;
  readonly directories: Address;
  readonly pathInfos: Address;
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
  const addresses = addressesOf(options);
  const remote = await remoteServices(addresses);
  const stores = new OpenStores(mode.create);
  const close = async (): Promise<void> => {
    remote?.close();
    await stores.close();
  };
  return await stores.guard(async () => ({
    blobs: await openBlobs(addresses.blobs, stores, remote),
    directories: await openDirectories(addresses.directories, stores, remote),
    pathInfos: await openPathInfos(addresses.pathInfos, stores, remote),
    nars: await openNarRecords(addresses.pathInfos, stores),
    uploads: await openUploadRecords(addresses.pathInfos, stores),
    [Symbol.asyncDispose]: close,
  }));
}

/**
 * Opens the local stores a mount reads from, making those that do not exist: the one in `--store-dir` for
 * a service that is remote.
 *
 * @throws {UsageError} for a bad address. @throws {StoreError} `unsupported` for one in memory.
 */
export async function openLocalStores(options: StoreArguments): Promise<LocalStores> {
  const { blobs, directories, pathInfos } = addressesOf(options);
  const folderOf = (address: Address): string => {
    if (address.scheme === "local") return address.folder;
    if (isRemote(address)) return options.storeDir;
    throw new StoreError(
      "unsupported",
      "A mount reads from a local store; memory:// holds nothing that outlives a command",
    );
  };
  const stores = new OpenStores(true);
  return await stores.guard(async () => ({
    blobs: await stores.open(folderOf(blobs)),
    directories: await stores.open(folderOf(directories)),
    pathInfos: await stores.open(folderOf(pathInfos)),
    [Symbol.asyncDispose]: () => stores.close(),
  }));
}

/** What stands behind the local stores of a mount; `undefined` when nothing does. */
export async function openFarServices(options: StoreArguments): Promise<FarServices | undefined> {
  const addresses = addressesOf(options);
  const remote = await remoteServices(addresses);
  if (remote === undefined) return undefined;
  const { blobs, directories, pathInfos } = addresses;
  return {
    blobs: isRemote(blobs) ? remote.blobs(blobs) : undefined,
    directories: isRemote(directories) ? remote.directories(directories) : undefined,
    pathInfos: isRemote(pathInfos) ? remote.pathInfos(pathInfos) : undefined,
  };
}

/** @throws {UsageError} for a bad one. */
export function addressesOf(options: StoreArguments): Addresses {
  const fallback: Address = { scheme: "local", folder: options.storeDir };
  const read = (text: string | undefined) => (text === undefined ? fallback : addressOf(text));
  return {
    blobs: read(options.blobServiceAddr),
    directories: read(options.directoryServiceAddr),
    pathInfos: read(options.pathInfoServiceAddr),
  };
}

function addressOf(text: string): Address {
  try {
    return parseAddress(text);
  } catch (error) {
    throw isStoreError(error) ? new UsageError(error.message) : error;
  }
}

async function remoteServices(addresses: Addresses): Promise<RemoteServices | undefined> {
  const { blobs, directories, pathInfos } = addresses;
  if (![blobs, directories, pathInfos].some(isRemote)) return undefined;
  return new (await import("./remote-services.js")).RemoteServices();
}

async function openBlobs(
  address: Address,
  stores: OpenStores,
  remote: RemoteServices | undefined,
): Promise<BlobService> {
  if (address.scheme === "local") return (await stores.open(address.folder)).blobs;
  if (address.scheme === "memory") return new MemoryBlobService();
  return (remote as RemoteServices).blobs(address);
}

async function openDirectories(
  address: Address,
  stores: OpenStores,
  remote: RemoteServices | undefined,
): Promise<DirectoryService> {
  if (address.scheme === "local") return (await stores.open(address.folder)).directories;
  if (address.scheme === "memory") return new MemoryDirectoryService();
  return (remote as RemoteServices).directories(address);
}

async function openPathInfos(
  address: Address,
  stores: OpenStores,
  remote: RemoteServices | undefined,
): Promise<PathInfoService> {
  if (address.scheme === "local") {
    return new LocalPathInfoService((await stores.open(address.folder)).index);
  }
  if (address.scheme === "memory") return new MemoryPathInfoService();
  return (remote as RemoteServices).pathInfos(address);
}

async function openNarRecords(
  address: Address,
  stores: OpenStores,
): Promise<NarRecords | undefined> {
  if (address.scheme !== "local") return undefined;
  return new LocalNarRecords((await stores.open(address.folder)).index);
}

async function openUploadRecords(
  address: Address,
  stores: OpenStores,
): Promise<UploadRecords | undefined> {
  if (address.scheme !== "local") return undefined;
  return new LocalUploadRecords((await stores.open(address.folder)).index);
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
