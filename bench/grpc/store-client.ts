/**
 * Our client, out of build/, as compiled, with as much of its types as is used here.
 */
import { inRepository } from "../support/run.js";

export interface Digest {
  readonly bytes: Uint8Array;
}

export interface BlobReader extends AsyncDisposable {
  stream(): AsyncIterable<Uint8Array>;
}

export interface BlobWriter extends AsyncDisposable {
  write(bytes: Uint8Array): Promise<void>;
  close(): Promise<{ readonly digest: Digest }>;
}

export interface Blobs {
  openRead(digest: Digest): Promise<BlobReader | undefined>;
  openWrite(): Promise<BlobWriter>;
}

export interface Directory {
  readonly bytes: Uint8Array;
  readonly digest: Digest;
  readonly size: bigint;
}

export interface Directories {
  getRecursive(root: Digest): AsyncIterable<Directory>;
  startPut(): { put(directory: Directory): Promise<void>; close(): Promise<Digest> };
}

export interface PathInfos {
  get(hash: Uint8Array): Promise<object | undefined>;
  put(pathInfo: object): Promise<object>;
}

export interface StoreClient {
  readonly blobs: Blobs;
  readonly directories: Directories;
  readonly pathInfos: PathInfos;
}

// As `tvix-store copy` does.
const { prepareForBulk } = await load<{ prepareForBulk(): void }>("base/bulk-memory.js");
prepareForBulk();

interface Channel {
  close(): void;
}

async function load<Module>(file: string): Promise<Module> {
  return (await import(inRepository(`build/${file}`))) as Module;
}

const { Channel } = await load<{
  Channel: new (options: { address: string; target: string; tls: boolean }) => Channel;
}>("grpc/channel.js");
const { GrpcBlobService } = await load<{ GrpcBlobService: new (channel: Channel) => Blobs }>(
  "grpc/blob-client.js",
);
const { GrpcDirectoryService } = await load<{
  GrpcDirectoryService: new (channel: Channel) => Directories;
}>("grpc/directory-client.js");
const { GrpcPathInfoService } = await load<{
  GrpcPathInfoService: new (channel: Channel) => PathInfos;
}>("grpc/path-info-client.js");

export const { B3Digest } = await load<{ B3Digest: { of(bytes: Uint8Array): Digest } }>(
  "castore/digest.js",
);
export const { directoryFrom } = await load<{
  directoryFrom: (entries: readonly { name: Uint8Array; node: object }[]) => Directory;
}>("castore/directory-codec.js");
export const { encodePathInfo } = await load<{ encodePathInfo: (pathInfo: object) => Buffer }>(
  "store/path-info-codec.js",
);
export const { StorePath } = await load<{
  StorePath: { from(hash: Uint8Array, name: string): { readonly hash: Uint8Array } };
}>("store/store-path.js");

/** Connects with the first call. */
export function connectStore(target: string): StoreClient {
  const channel = new Channel({ address: target, target, tls: false });
  return {
    blobs: new GrpcBlobService(channel),
    directories: new GrpcDirectoryService(channel),
    pathInfos: new GrpcPathInfoService(channel),
  };
}
