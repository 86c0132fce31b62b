/**
 * Services on other machines, or in other processes. Loaded when one is named: gRPC takes a while to load.
 */
import { prepareForBulk } from "../base/bulk-memory.js";
import { StoreError } from "../base/errors.js";
import { GrpcBlobService } from "../grpc/blob-client.js";
import { Channel, type ClientIdentity } from "../grpc/channel.js";
import { GrpcDirectoryService } from "../grpc/directory-client.js";
import { GrpcPathInfoService } from "../grpc/path-info-client.js";
import { isToken } from "../grpc/token-table.js";
import type { GrpcAddress, IdentityFiles } from "./address.js";
import { readIdentityFile, readSecretFile } from "./identity-file.js";

/** Each server is connected to once, whichever services it offers. */
export class RemoteServices {
  readonly #channels = new Map<string, Channel>();

  constructor() {
    prepareForBulk();
  }

  blobs(address: GrpcAddress): GrpcBlobService {
    return new GrpcBlobService(this.#channel(address));
  }

  directories(address: GrpcAddress): GrpcDirectoryService {
    return new GrpcDirectoryService(this.#channel(address));
  }

  pathInfos(address: GrpcAddress): GrpcPathInfoService {
    return new GrpcPathInfoService(this.#channel(address));
  }

  close(): void {
    for (const channel of this.#channels.values()) channel.close();
  }

  #channel({ text, target, tls, files }: GrpcAddress): Channel {
    const key = JSON.stringify([target, tls, files]);
    let channel = this.#channels.get(key);
    if (channel === undefined) {
      channel = new Channel({ address: text, target, tls, identity: readIdentity(files) });
      this.#channels.set(key, channel);
    }
    return channel;
  }
}

function readIdentity(files: IdentityFiles): ClientIdentity {
  const { "token-file": token, "ca-file": authority, "cert-file": chain, "key-file": key } = files;
  return {
    token: token === undefined ? undefined : readToken(token),
    authority: authority === undefined ? undefined : readIdentityFile(authority),
    certificate:
      chain === undefined || key === undefined
        ? undefined
        : { chain: readIdentityFile(chain), key: readSecretFile(key) },
  };
}

function readToken(path: string): string {
  const token = readSecretFile(path).toString().trim();
  if (isToken(token)) return token;
  throw new StoreError("invalid-argument", `${path} does not hold a token and nothing else`);
}
