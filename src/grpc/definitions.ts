/**
 * The services as gRPC knows them, under both families of names. The messages of the two are the same byte
 * for byte; only the paths of the methods differ.
 *
 * Messages whose bytes matter pass through as they are, so that nothing in between rewrites what a peer
 * sent: Directory, PathInfo and Node (Entry) are left to our own codecs. 64-bit numbers are decimal text.
 */
import { fileURLToPath } from "node:url";
import type { MethodDefinition, PackageDefinition } from "@grpc/proto-loader";
import { asBuffer } from "../base/bytes.js";
import { require } from "../base/require.js";
import type {
  GetDirectoryRequest,
  GetDirectoryRequest__Output,
} from "../gen/tvix/castore/v1/GetDirectoryRequest.js";
import type {
  PutBlobResponse,
  PutBlobResponse__Output,
} from "../gen/tvix/castore/v1/PutBlobResponse.js";
import type {
  PutDirectoryResponse,
  PutDirectoryResponse__Output,
} from "../gen/tvix/castore/v1/PutDirectoryResponse.js";
import type {
  ReadBlobRequest,
  ReadBlobRequest__Output,
} from "../gen/tvix/castore/v1/ReadBlobRequest.js";
import type {
  StatBlobRequest,
  StatBlobRequest__Output,
} from "../gen/tvix/castore/v1/StatBlobRequest.js";
import type {
  StatBlobResponse,
  StatBlobResponse__Output,
} from "../gen/tvix/castore/v1/StatBlobResponse.js";
import type {
  CalculateNARResponse,
  CalculateNARResponse__Output,
} from "../gen/tvix/store/v1/CalculateNARResponse.js";
import type {
  GetPathInfoRequest,
  GetPathInfoRequest__Output,
} from "../gen/tvix/store/v1/GetPathInfoRequest.js";
import type {
  ListPathInfoRequest,
  ListPathInfoRequest__Output,
} from "../gen/tvix/store/v1/ListPathInfoRequest.js";
import { decodeBlobChunk, encodeBlobChunk } from "./blob-chunk-codec.js";

/** What the packages are called: `tvix.castore.v1` or `snix.castore.v1`, and so on. */
export type Family = "tvix" | "snix";

export const FAMILIES: readonly Family[] = ["tvix", "snix"];

/** A method with the types of what is sent and, for each, of what arrives. */
type Method<Request, RequestOutput, Response, ResponseOutput> = MethodDefinition<
  Request,
  Response,
  RequestOutput,
  ResponseOutput
>;

/** An encoded message of a kind that is not decoded here. */
type RawMessage = Uint8Array;
/** The `data` of a BlobChunk. */
type ChunkData = Uint8Array;

export type BlobServiceDefinition = {
  readonly Stat: Method<
    StatBlobRequest,
    StatBlobRequest__Output,
    StatBlobResponse,
    StatBlobResponse__Output
  >;
  readonly Read: Method<ReadBlobRequest, ReadBlobRequest__Output, ChunkData, ChunkData>;
  readonly Put: Method<ChunkData, ChunkData, PutBlobResponse, PutBlobResponse__Output>;
};

export type DirectoryServiceDefinition = {
  /** Answers with Directory messages. */
  readonly Get: Method<GetDirectoryRequest, GetDirectoryRequest__Output, RawMessage, RawMessage>;
  /** Takes Directory messages. */
  readonly Put: Method<RawMessage, RawMessage, PutDirectoryResponse, PutDirectoryResponse__Output>;
};

export type PathInfoServiceDefinition = {
  /** Answers with a PathInfo message. */
  readonly Get: Method<GetPathInfoRequest, GetPathInfoRequest__Output, RawMessage, RawMessage>;
  /** Takes a PathInfo message and answers with one. */
  readonly Put: Method<RawMessage, RawMessage, RawMessage, RawMessage>;
  /** Takes a Node message. */
  readonly CalculateNAR: Method<
    RawMessage,
    RawMessage,
    CalculateNARResponse,
    CalculateNARResponse__Output
  >;
  /** Answers with PathInfo messages. */
  readonly List: Method<ListPathInfoRequest, ListPathInfoRequest__Output, RawMessage, RawMessage>;
};

export interface ServiceDefinitions {
  readonly blobs: BlobServiceDefinition;
  readonly directories: DirectoryServiceDefinition;
  readonly pathInfos: PathInfoServiceDefinition;
}

const FILES = [
  "castore/protos/rpc_blobstore.proto",
  "castore/protos/rpc_directory.proto",
  "store/protos/rpc_pathinfo.proto",
];

/** Everything in protos/ as it is written there, for reflection. Loaded when first asked for. */
export function packageDefinition(): PackageDefinition {
  packages ??= (require("@grpc/proto-loader") as typeof import("@grpc/proto-loader")).loadSync(
    FAMILIES.flatMap((family) => FILES.map((file) => `${family}/${file}`)),
    {
      includeDirs: [fileURLToPath(new URL("../../protos", import.meta.url))],
      keepCase: true,
      longs: String,
      enums: String,
      defaults: true,
      oneofs: true,
    },
  );
  return packages;
}

let packages: PackageDefinition | undefined;

/** The three services of one family. */
export function serviceDefinitions(family: Family): ServiceDefinitions {
  const service = <D>(name: string): D => packageDefinition()[`${family}.${name}`] as D;
  const blobs = service<BlobServiceDefinition>("castore.v1.BlobService");
  const directories = service<DirectoryServiceDefinition>("castore.v1.DirectoryService");
  const pathInfos = service<PathInfoServiceDefinition>("store.v1.PathInfoService");
  return {
    blobs: {
      Stat: blobs.Stat,
      Read: { ...blobs.Read, ...CHUNK_RESPONSE },
      Put: { ...blobs.Put, ...CHUNK_REQUEST },
    },
    directories: {
      Get: { ...directories.Get, ...RAW_RESPONSE },
      Put: { ...directories.Put, ...RAW_REQUEST },
    },
    pathInfos: {
      Get: { ...pathInfos.Get, ...RAW_RESPONSE },
      Put: { ...pathInfos.Put, ...RAW_REQUEST, ...RAW_RESPONSE },
      CalculateNAR: { ...pathInfos.CalculateNAR, ...RAW_REQUEST },
      List: { ...pathInfos.List, ...RAW_RESPONSE },
    },
  };
}

/** The full names of the services of one family: `tvix.castore.v1.BlobService` and so on. */
export function serviceNames(family: Family): readonly string[] {
  return [
    `${family}.castore.v1.BlobService`,
    `${family}.castore.v1.DirectoryService`,
    `${family}.store.v1.PathInfoService`,
  ];
}

const decodeRaw = (message: Buffer): Uint8Array => message;
const CHUNK_REQUEST = { requestSerialize: encodeBlobChunk, requestDeserialize: decodeBlobChunk };
const CHUNK_RESPONSE = { responseSerialize: encodeBlobChunk, responseDeserialize: decodeBlobChunk };
const RAW_REQUEST = { requestSerialize: asBuffer, requestDeserialize: decodeRaw };
const RAW_RESPONSE = { responseSerialize: asBuffer, responseDeserialize: decodeRaw };
