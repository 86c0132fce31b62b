/**
 * A server and a connection to it, in this process.
 */
import { Channel, type ChannelOptions } from "../../../src/grpc/channel.js";
import { parseListenAddress } from "../../../src/grpc/listen-address.js";
import type { StoreServices } from "../../../src/grpc/path-info-server.js";
import { GrpcServer, type GrpcServerOptions } from "../../../src/grpc/server.js";
import { recordingLog } from "./serve.js";

export interface Pair {
  readonly channel: Channel;
  readonly server: GrpcServer;
  /** What the server listens on, as a client takes it. */
  readonly target: string;
  close(): Promise<void>;
}

/** Serves `services`, taking path infos without their content, and connects. */
export async function pairWith(
  services: StoreServices,
  listen = "127.0.0.1:0",
  options: Partial<ChannelOptions> = {},
  serverOptions: Partial<GrpcServerOptions> = {},
): Promise<Pair> {
  const log = recordingLog();
  const server = new GrpcServer({ services, log, allowIncomplete: true, ...serverOptions });
  const [target = ""] = await server.listen(parseListenAddress(listen));
  const channel = new Channel({ address: `grpc+${target}`, target, tls: false, ...options });
  return {
    channel,
    server,
    target,
    close: async () => {
      channel.close();
      await server.stop(0);
    },
  };
}
