/**
 * Services on other machines, or in other processes. Loaded when one is named: gRPC takes a while to load.
 */
import { GrpcBlobService } from "../grpc/blob-client.js";
import { Channel } from "../grpc/channel.js";
import { GrpcDirectoryService } from "../grpc/directory-client.js";
import { GrpcPathInfoService } from "../grpc/path-info-client.js";
import type { GrpcAddress } from "./address.js";

/** Each server is connected to once, whichever services it offers. */
export class RemoteServices {
  readonly #channels = new Map<string, Channel>();

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

  #channel({ text, target, tls }: GrpcAddress): Channel {
    const key = `${target} ${tls}`;
    let channel = this.#channels.get(key);
    if (channel === undefined) {
      channel = new Channel({ address: text, target, tls });
      this.#channels.set(key, channel);
    }
    return channel;
  }
}
