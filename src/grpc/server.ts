/**
 * The gRPC server: three services under two families of names, with health and reflection.
 */
import type { Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import {
  type ConnectionInjector,
  Server,
  ServerCredentials,
  type ServerOptions,
} from "@grpc/grpc-js";
import { ReflectionService } from "@grpc/reflection";
import { HealthImplementation } from "grpc-health-check";
import type { Logger } from "../base/log.js";
import { Access } from "./access.js";
import { ArrivingBytes } from "./arriving-bytes.js";
import { blobMethods } from "./blob-server.js";
import { ByteBudget } from "./byte-budget.js";
import { CallHandlers } from "./call-handlers.js";
import type { CallRecord } from "./call-record.js";
import { FAMILIES, packageDefinition, serviceDefinitions, serviceNames } from "./definitions.js";
import { directoryMethods } from "./directory-server.js";
import type { ListenAddress } from "./listen-address.js";
import { type Listener, openListener } from "./listener.js";
import { type PathInfoPolicy, pathInfoMethods, type StoreServices } from "./path-info-server.js";
import { TlsAcceptor, type TlsIdentity } from "./tls-acceptor.js";
import type { TokenTable } from "./token-table.js";

/** The largest message taken: a directory of about 200,000 files. */
export const MESSAGE_BYTES_MAX = 16 * 1024 * 1024;
/** Calls of one connection at once; clients keep further ones waiting. */
const STREAMS_MAX = 128;
/** What HTTP/2 may hold for one connection, in units of a million bytes. */
const SESSION_MEGABYTES_MAX = 256;
/** A connection that is silent for so long is asked whether it is still there. */
const KEEPALIVE_MS = 60_000;
const KEEPALIVE_ANSWER_MS = 20_000;
/** Uploads of directories wait in memory until they are complete: so much of one, twice that of all. */
const UPLOAD_BYTES_MAX = 256 * 1024 * 1024;
/** Messages on all connections that are arriving. */
const ARRIVING_BYTES_MAX = 256 * 1024 * 1024;
/** Time for the last bytes of the last calls to leave. */
const FLUSH_MS = 250;

const OPTIONS: ServerOptions = {
  "grpc.max_receive_message_length": MESSAGE_BYTES_MAX,
  "grpc.max_concurrent_streams": STREAMS_MAX,
  "grpc-node.max_session_memory": SESSION_MEGABYTES_MAX,
  "grpc.keepalive_time_ms": KEEPALIVE_MS,
  "grpc.keepalive_timeout_ms": KEEPALIVE_ANSWER_MS,
  "grpc.enable_channelz": 0,
};

export interface GrpcServerOptions extends PathInfoPolicy {
  readonly services: StoreServices;
  readonly log: Logger;
  /** Called when a call is over, and of one that was not let in. */
  readonly onCall?: (record: CallRecord) => void;
  /** Spoken on TCP; sockets in the file system are guarded by their mode. */
  readonly tls?: TlsIdentity | undefined;
  /** Calls need one of these, on every listener. */
  readonly tokens?: TokenTable | undefined;
  /** Refuses all uploads. */
  readonly readOnly?: boolean | undefined;
  /** How much memory one upload of directories may take; 256 MiB unless told. */
  readonly directoryUploadBytesMax?: number;
  /** How much memory messages may take while they arrive; 256 MiB unless told. */
  readonly arrivingBytesMax?: number;
  /** When an upload of which nothing comes is given up; after ten minutes unless told. */
  readonly uploadStallMs?: number;
}

export class GrpcServer {
  readonly #server: Server;
  readonly #handlers: CallHandlers;
  readonly #health: HealthImplementation;
  readonly #connections: ConnectionInjector;
  readonly #access: Access | undefined;
  readonly #tls: TlsAcceptor | undefined;
  readonly #listeners: Listener[] = [];
  readonly #sockets = new Set<Socket>();

  /** @throws {StoreError} `invalid-argument` when the TLS identity is of no use. */
  constructor(options: GrpcServerOptions) {
    const { services, log, onCall, uploadStallMs, arrivingBytesMax, ...rest } = options;
    const { tls, tokens, readOnly, ...policy } = rest;
    if (tokens !== undefined || readOnly) {
      this.#access = new Access({ tokens, readOnly: readOnly ?? false, onDenied: onCall });
    }
    const arriving = new ArrivingBytes(arrivingBytesMax ?? ARRIVING_BYTES_MAX);
    const interceptors = [
      ...(this.#access ? [this.#access.interceptor] : []),
      arriving.interceptor,
    ];
    this.#server = new Server({ ...OPTIONS, interceptors });
    this.#connections = this.#server.createConnectionInjector(ServerCredentials.createInsecure());
    this.#tls = tls && new TlsAcceptor(tls, log, (socket) => this.#inject(socket));
    this.#handlers = new CallHandlers({
      log,
      callerOf: (metadata) => this.#access?.callerOf(metadata)?.name,
      ...(onCall && { onEnd: onCall }),
      ...(uploadStallMs !== undefined && { uploadStallMs }),
    });
    const perCallBytes = policy.directoryUploadBytesMax ?? UPLOAD_BYTES_MAX;
    const budget = new ByteBudget({ perCallBytes, totalBytes: 2 * perCallBytes });
    const blobs = blobMethods(services.blobs, this.#handlers);
    const directories = directoryMethods(services.directories, this.#handlers, budget);
    const pathInfos = pathInfoMethods(services, this.#handlers, policy);
    for (const family of FAMILIES) {
      const definitions = serviceDefinitions(family);
      this.#server.addService(definitions.blobs, blobs);
      this.#server.addService(definitions.directories, directories);
      this.#server.addService(definitions.pathInfos, pathInfos);
    }
    this.#health = new HealthImplementation(
      Object.fromEntries(healthNames().map((name) => [name, "SERVING"])),
    );
    this.#health.addToServer(this.#server);
    new ReflectionService(packageDefinition()).addToServer(this.#server);
  }

  /**
   * Takes calls on `address` from when it resolves; any number of addresses.
   *
   * @returns where it really listens, ports filled in.
   * @throws {StoreError} `unavailable` when it cannot.
   */
  async listen(address: ListenAddress): Promise<readonly string[]> {
    const listener = await openListener(address, (socket, isTcp) => {
      this.#keep(socket);
      if (this.#tls === undefined || !isTcp) this.#inject(socket);
      else this.#tls.accept(socket);
    });
    this.#listeners.push(listener);
    return listener.addresses;
  }

  /** How many calls and connections there are. */
  get load(): { readonly calls: number; readonly connections: number } {
    return { calls: this.#handlers.running, connections: this.#sockets.size };
  }

  /** What connections and calls that begin from now on are shown and asked for. */
  renew({ tls, tokens }: Pick<GrpcServerOptions, "tls" | "tokens">): void {
    if (tls !== undefined) this.#tls?.renew(tls);
    if (tokens !== undefined && this.#access !== undefined) this.#access.tokens = tokens;
  }

  /** Takes no more calls, lets those under way end within `drainMs`, and cuts off the rest. */
  async stop(drainMs: number): Promise<void> {
    for (const listener of this.#listeners) listener.close();
    for (const name of healthNames()) this.#health.setStatus(name, "NOT_SERVING");
    const closed = new Promise<void>((resolve) => this.#server.tryShutdown(() => resolve()));
    const timer = new AbortController();
    const idle = async () => {
      await this.#handlers.idle();
      // What is left are calls that never end by themselves, such as watching our health.
      await sleep(FLUSH_MS, undefined, { signal: timer.signal }).catch(() => {});
    };
    const limit = sleep(drainMs, undefined, { signal: timer.signal }).catch(() => {});
    await Promise.race([closed, idle(), limit]);
    timer.abort();
    for (const socket of this.#sockets) socket.destroy();
    await Promise.race([closed, sleep(FLUSH_MS)]);
  }

  #keep(socket: Socket): void {
    // A connection that breaks is its client's affair.
    socket.on("error", () => {});
    this.#sockets.add(socket);
    socket.once("close", () => this.#sockets.delete(socket));
  }

  #inject(socket: Socket): void {
    socket.on("error", () => {});
    this.#connections.injectConnection(socket);
  }
}

/** Each service, and the whole under the empty name. */
function healthNames(): readonly string[] {
  return ["", ...FAMILIES.flatMap(serviceNames)];
}
