/**
 * From addresses to services: the one place that knows every backend.
 */
import { resolve } from "node:path";
import { StoreError } from "../base/errors.js";
import { MemoryBlobService } from "../castore/blob/memory.js";
import type { BlobService } from "../castore/blob/service.js";
import { canHash } from "../castore/digest.js";
import { MemoryDirectoryService } from "../castore/directory/memory.js";
import type { DirectoryService } from "../castore/directory/service.js";
import { LocalStore } from "../castore/local/store.js";
import type { StagedTree } from "../castore/tree-upload.js";
import { LocalUploadRecords } from "../http/local-upload-records.js";
import type { UploadRecords } from "../http/upload-records.js";
import { LocalNarRecords } from "../store/nar/local-records.js";
import type { NarRecords } from "../store/nar/records.js";
import { LocalPathInfoService } from "../store/path-info/local.js";
import { MemoryPathInfoService } from "../store/path-info/memory.js";
import type { PathInfoService } from "../store/path-info/service.js";
import type { StagedPath, SubstitutingPathInfoService } from "../store/path-info/substituting.js";
import { type Address, type GrpcAddress, isRemote } from "./address.js";
import { type Addresses, addressesOf, hasUpstreams } from "./addresses.js";
import type { LogArguments } from "./logger.js";
import type { RemoteServices } from "./remote-services.js";
import type { Substitution } from "./substitution.js";
import type { SubstitutionArguments } from "./substitution-options.js";

export interface StoreArguments extends SubstitutionArguments, LogArguments {
  readonly storeDir: string;
  readonly blobServiceAddr?: string | undefined;
  readonly directoryServiceAddr?: string | undefined;
  readonly pathInfoServiceAddr?: string | undefined;
}

export interface Services extends AsyncDisposable {
  readonly blobs: BlobService;
  readonly directories: DirectoryService;
  /** A cheaper way into both for a tree as a whole, where they are one local store. */
  readonly stageTree: (() => StagedTree) | undefined;
  readonly pathInfos: PathInfoService;
  /** What the local store of the path infos knows of NARs; none when they are elsewhere. */
  readonly nars: NarRecords | undefined;
  /** Where the same store remembers uploads over HTTP. */
  readonly uploads: UploadRecords | undefined;
  /** The path infos, where binary caches stand behind them. */
  readonly substitution: SubstitutingPathInfoService | undefined;
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
  /** The path infos, where binary caches stand behind them. */
  readonly substitution: SubstitutingPathInfoService | undefined;
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
  await canHash;
  const addresses = addressesOf(options);
  const remote = await remoteServices(addresses);
  const behind = await substitutionOf(options, addresses);
  // What is fetched has to be kept somewhere.
  const stores = new OpenStores(mode.create || behind !== undefined);
  const close = async (): Promise<void> => {
    behind?.close();
    remote?.close();
    stores.flush();
  };
  const blobs = await openBlobs(addresses.blobs, stores, remote);
  const directories = await openDirectories(addresses.directories, stores, remote);
  const local = await openPathInfos(addresses.pathInfos, options.storeDir, stores, remote);
  const nars = await openNarRecords(addresses.pathInfos, options.storeDir, stores);
  const uploads = await openUploadRecords(addresses.pathInfos, options.storeDir, stores);
  const content = await contentStore(addresses, stores);
  const stageTree = content && (() => content.stageTree());
  const targets = { blobs, directories, stageTree };
  const folder = localFolder(addresses.pathInfos, options.storeDir);
  const memory = folder === undefined ? undefined : await stores.open(folder);
  const stagePath = stagesPaths(content, memory);
  const substitution = behind?.service({ local, targets, stagePath, nars }, memory);
  const pathInfos = substitution ?? local;
  return {
    blobs,
    directories,
    stageTree,
    pathInfos,
    nars,
    uploads,
    substitution,
    [Symbol.asyncDispose]: close,
  };
}

/**
 * Opens the local stores a mount reads from, making those that do not exist: the one in `--store-dir` for
 * a service that is remote.
 *
 * @throws {UsageError} for a bad address. @throws {StoreError} `unsupported` for one in memory.
 */
export async function openLocalStores(options: StoreArguments): Promise<LocalStores> {
  await canHash;
  const { blobs, directories, pathInfos } = addressesOf(options);
  const folderOf = (address: Address): string => {
    if (address.scheme === "local") return address.folder;
    if (isRemote(address) || address.scheme === "nix") return options.storeDir;
    throw new StoreError(
      "unsupported",
      "A mount reads from a local store; memory:// holds nothing that outlives a command",
    );
  };
  const stores = new OpenStores(true);
  return {
    blobs: await stores.open(folderOf(blobs)),
    directories: await stores.open(folderOf(directories)),
    pathInfos: await stores.open(folderOf(pathInfos)),
    [Symbol.asyncDispose]: async () => stores.flush(),
  };
}

/** What stands behind `near`, the local stores of a mount; `undefined` when nothing does. To be closed before them. */
export async function openFarServices(
  options: StoreArguments,
  near: LocalStores,
): Promise<(FarServices & Disposable) | undefined> {
  const addresses = addressesOf(options);
  const remote = await remoteServices(addresses);
  const behind = await substitutionOf(options, addresses);
  if (remote === undefined && behind === undefined) return undefined;
  const { index } = near.pathInfos;
  const blobs = isRemote(addresses.blobs) ? remote?.blobs(addresses.blobs) : undefined;
  const directories = isRemote(addresses.directories)
    ? remote?.directories(addresses.directories)
    : undefined;
  const pathInfos = isRemote(addresses.pathInfos)
    ? remote?.pathInfos(addresses.pathInfos)
    : undefined;
  const content = contentStoreOf(near, { blobs, directories });
  const targets = {
    blobs: blobs ?? near.blobs.blobs,
    directories: directories ?? near.directories.directories,
    stageTree: content && (() => content.stageTree()),
  };
  const local = pathInfos ?? new LocalPathInfoService(index);
  const nars = pathInfos === undefined ? new LocalNarRecords(index) : undefined;
  const stagePath = stagesPaths(content, pathInfos === undefined ? near.pathInfos : undefined);
  const substitution = behind?.service({ local, targets, stagePath, nars }, near.pathInfos);
  return {
    blobs,
    directories,
    pathInfos: substitution ?? pathInfos,
    substitution,
    [Symbol.dispose]: () => {
      behind?.close();
      remote?.close();
    },
  };
}

/** The store of blobs and directories, where both are in one that nothing stands behind. */
export function contentStoreOf(
  near: LocalStores,
  far: Pick<FarServices, "blobs" | "directories"> | undefined,
): LocalStore | undefined {
  const isHere = far?.blobs === undefined && far?.directories === undefined;
  return isHere && near.blobs === near.directories ? near.blobs : undefined;
}

async function remoteServices(addresses: Addresses): Promise<RemoteServices | undefined> {
  const { blobs, directories, pathInfos } = addresses;
  if (![blobs, directories, pathInfos].some(isRemote)) return undefined;
  return new (await import("./remote-services.js")).RemoteServices();
}

async function substitutionOf(
  options: StoreArguments,
  { pathInfos }: Addresses,
): Promise<Substitution | undefined> {
  if (!hasUpstreams(options, pathInfos)) return undefined;
  const { Substitution } = await import("./substitution.js");
  return new Substitution(options, pathInfos.scheme === "nix" ? pathInfos.cache : undefined);
}

async function openBlobs(
  address: Address,
  stores: OpenStores,
  remote: RemoteServices | undefined,
): Promise<BlobService> {
  if (address.scheme === "local") return (await stores.open(address.folder)).blobs;
  if (address.scheme === "memory") return new MemoryBlobService();
  return (remote as RemoteServices).blobs(address as GrpcAddress);
}

async function openDirectories(
  address: Address,
  stores: OpenStores,
  remote: RemoteServices | undefined,
): Promise<DirectoryService> {
  if (address.scheme === "local") return (await stores.open(address.folder)).directories;
  if (address.scheme === "memory") return new MemoryDirectoryService();
  return (remote as RemoteServices).directories(address as GrpcAddress);
}

async function openPathInfos(
  address: Address,
  storeDir: string,
  stores: OpenStores,
  remote: RemoteServices | undefined,
): Promise<PathInfoService> {
  const folder = localFolder(address, storeDir);
  if (folder !== undefined) return new LocalPathInfoService((await stores.open(folder)).index);
  if (address.scheme === "memory") return new MemoryPathInfoService();
  return (remote as RemoteServices).pathInfos(address as GrpcAddress);
}

async function openNarRecords(
  address: Address,
  storeDir: string,
  stores: OpenStores,
): Promise<NarRecords | undefined> {
  const folder = localFolder(address, storeDir);
  if (folder === undefined) return undefined;
  return new LocalNarRecords((await stores.open(folder)).index);
}

/** The local store that blobs and directories go into, where they go into the same one. */
async function contentStore(
  { blobs, directories }: Addresses,
  stores: OpenStores,
): Promise<LocalStore | undefined> {
  if (blobs.scheme !== "local" || directories.scheme !== "local") return undefined;
  const store = await stores.open(blobs.folder);
  return store === (await stores.open(directories.folder)) ? store : undefined;
}

/** What stages store paths, where `content` is also the store of their path infos. */
function stagesPaths(
  content: LocalStore | undefined,
  pathInfos: LocalStore | undefined,
): (() => StagedPath) | undefined {
  if (content === undefined || content !== pathInfos) return undefined;
  return () => {
    const tree = content.stageTree();
    const { index } = tree;
    return {
      ...tree,
      pathInfos: new LocalPathInfoService(index),
      nars: new LocalNarRecords(index),
    };
  };
}

/** Where path infos are kept on this machine; `undefined` when they are elsewhere. */
function localFolder(address: Address, storeDir: string): string | undefined {
  if (address.scheme === "local") return address.folder;
  return address.scheme === "nix" ? storeDir : undefined;
}

async function openUploadRecords(
  address: Address,
  storeDir: string,
  stores: OpenStores,
): Promise<UploadRecords | undefined> {
  const folder = localFolder(address, storeDir);
  if (folder === undefined) return undefined;
  return new LocalUploadRecords((await stores.open(folder)).index);
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

  /** The stores stay open until the process ends: closing one may disturb a command that opens it. */
  flush(): void {
    for (const store of this.#stores.values()) store.flush();
  }
}
