import { join } from "node:path";
import { afterEach, describe } from "vitest";
import { CachingBlobService } from "../../src/castore/blob/caching.js";
import { MemoryBlobService } from "../../src/castore/blob/memory.js";
import { CachingDirectoryService } from "../../src/castore/directory/caching.js";
import { MemoryDirectoryService } from "../../src/castore/directory/memory.js";
import { GrpcBlobService } from "../../src/grpc/blob-client.js";
import type { ChannelOptions } from "../../src/grpc/channel.js";
import { GrpcDirectoryService } from "../../src/grpc/directory-client.js";
import { GrpcPathInfoService } from "../../src/grpc/path-info-client.js";
import type { StoreServices } from "../../src/grpc/path-info-server.js";
import type { GrpcServerOptions } from "../../src/grpc/server.js";
import { TokenTable } from "../../src/grpc/token-table.js";
import { CachingPathInfoService } from "../../src/store/path-info/caching.js";
import { MemoryPathInfoService } from "../../src/store/path-info/memory.js";
import { blobServiceConformance } from "../conformance/blob-service.js";
import { directoryServiceConformance } from "../conformance/directory-service.js";
import { pathInfoServiceConformance } from "../conformance/path-info-service.js";
import { temporaryFolder } from "../support/temp.js";
import { Authority } from "./support/certificates.js";
import { type Pair, pairWith } from "./support/pair.js";
import { memoryServices } from "./support/serve.js";

const folder = temporaryFolder();
const pairs: Pair[] = [];
let sockets = 0;

afterEach(async () => {
  // Clients before their servers, and those in front first.
  for (const pair of pairs.splice(0).reverse()) await pair.close();
});

const authority = new Authority("ours");
const tls = { ...authority.certify("server"), clientAuthority: authority.certificate };
const { certificate: chain, key } = authority.certify("client");
const token = "a-token-0123456789";
const tokens = TokenTable.parse(`write client ${token}`, "tokens");
/** As a careful operator sets it up: certificates of both sides, and a token. */
const SECURE: {
  readonly client: Partial<ChannelOptions>;
  readonly server: Partial<GrpcServerOptions>;
} = {
  client: {
    tls: true,
    identity: { authority: authority.certificate, certificate: { chain, key }, token },
  },
  server: { tls, tokens },
};

async function connect(
  address: "tcp" | "tls" | "unix",
  services: StoreServices = memoryServices(),
): Promise<StoreServices> {
  const listen = address === "unix" ? `unix:${join(folder, String(sockets++))}` : "127.0.0.1:0";
  const { client, server } = address === "tls" ? SECURE : { client: {}, server: {} };
  const pair = await pairWith(services, listen, client, server);
  pairs.push(pair);
  return {
    blobs: new GrpcBlobService(pair.channel),
    directories: new GrpcDirectoryService(pair.channel),
    pathInfos: new GrpcPathInfoService(pair.channel),
  };
}

function inFront(far: StoreServices): StoreServices {
  return {
    blobs: new CachingBlobService({ near: new MemoryBlobService(), far: far.blobs }),
    directories: new CachingDirectoryService({
      near: new MemoryDirectoryService(),
      far: far.directories,
    }),
    pathInfos: new CachingPathInfoService({
      near: new MemoryPathInfoService(),
      far: far.pathInfos,
    }),
  };
}

const backends: readonly [title: string, open: () => Promise<StoreServices>][] = [
  ["over TCP", () => connect("tcp")],
  ["over TLS with certificates and a token", () => connect("tls")],
  ["over a unix socket", () => connect("unix")],
  ["near/far over gRPC", async () => inFront(await connect("unix"))],
  ["gRPC over gRPC", async () => connect("unix", await connect("tcp"))],
];

describe.each(backends)("GrpcBlobService, %s", (_title, open) =>
  blobServiceConformance({
    traits: { persistent: false },
    open: async () => (await open()).blobs,
  }),
);

describe.each(backends)("GrpcDirectoryService, %s", (_title, open) =>
  directoryServiceConformance({
    traits: { persistent: false, alone: false },
    open: async () => (await open()).directories,
  }),
);

describe.each(backends)("GrpcPathInfoService, %s", (_title, open) =>
  pathInfoServiceConformance({
    traits: { persistent: false, list: true },
    open: async () => (await open()).pathInfos,
  }),
);
