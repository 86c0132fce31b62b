/**
 * Sockets that wait for connections.
 */
import { once } from "node:events";
import { chmod, lstat, unlink } from "node:fs/promises";
import { connect, createServer, type Server, type Socket } from "node:net";
import { errnoOf, messageOf, StoreError } from "../base/errors.js";
import type { ListenAddress } from "./listen-address.js";

/** More connections at once are closed as they come, on each listener. */
const CONNECTIONS_MAX = 1024;
const LOOPBACKS = ["127.0.0.1", "::1"];
/** This machine does not have that family of addresses. */
const NO_SUCH_FAMILY = new Set(["EAFNOSUPPORT", "EADDRNOTAVAIL", "EINVAL"]);

export interface Listener {
  /** Where it really listens: `127.0.0.1:8000`, `unix:/path`. One for each socket. */
  readonly addresses: readonly string[];
  /** Takes no more connections; those there are stay. */
  close(): void;
}

/** Told of each connection, and whether it came over TCP: that is what TLS is for. */
type OnConnection = (socket: Socket, isTcp: boolean) => void;

/**
 * Listens on `address` and hands every connection to `onConnection`.
 *
 * @throws {StoreError} `unavailable` when it is in use or cannot be listened on.
 */
export async function openListener(
  address: ListenAddress,
  onConnection: OnConnection,
): Promise<Listener> {
  const servers: Server[] = [];
  try {
    if (address.type === "unix") {
      servers.push(await listenOnPath(address.path, address.mode, onConnection));
      return listenerOf(servers, [`unix:${address.path}`]);
    }
    if (address.type === "inherited") {
      servers.push(await listenOnDescriptor(address.descriptor, onConnection));
      return listenerOf(servers, servers.map(describe));
    }
    let { port } = address;
    for (const host of address.host === "localhost" ? LOOPBACKS : [address.host]) {
      const server = await listenOnHost(host, port, onConnection, servers.length > 0);
      if (server === undefined) continue;
      servers.push(server);
      port = portOf(server);
    }
    return listenerOf(servers, servers.map(describe));
  } catch (error) {
    for (const server of servers) server.close();
    throw error;
  }
}

function listenerOf(servers: readonly Server[], addresses: readonly string[]): Listener {
  return {
    addresses,
    close: () => {
      for (const server of servers) server.close();
    },
  };
}

/** `undefined` when the machine lacks the family and `optional` says that this will do. */
async function listenOnHost(
  host: string,
  port: number,
  onConnection: OnConnection,
  optional: boolean,
): Promise<Server | undefined> {
  try {
    return await listening(onConnection, { host, port });
  } catch (error) {
    const missing = NO_SUCH_FAMILY.has(errnoOf(error) ?? "");
    if (missing && host === "::") return await listenOnHost("0.0.0.0", port, onConnection, false);
    if (missing && optional) return undefined;
    throw cannotListen(host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`, error);
  }
}

async function listenOnDescriptor(descriptor: number, onConnection: OnConnection): Promise<Server> {
  try {
    return await listening(onConnection, { fd: descriptor });
  } catch (error) {
    throw cannotListen(`the inherited socket ${descriptor}`, error);
  }
}

/** The socket is born with no more rights than `mode` gives; nobody slips in before. */
async function listenOnPath(
  path: string,
  mode: number,
  onConnection: OnConnection,
): Promise<Server> {
  try {
    await removeStale(path);
    const umask = process.umask(0o777 & ~mode);
    let server: Promise<Server>;
    try {
      server = listening(onConnection, { path });
    } finally {
      process.umask(umask);
    }
    const opened = await server;
    await chmod(path, mode);
    return opened;
  } catch (error) {
    throw error instanceof StoreError ? error : cannotListen(path, error);
  }
}

/** The bind happens within this call; waiting for the promise only tells how it went. */
async function listening(
  onConnection: OnConnection,
  where:
    | { readonly host: string; readonly port: number }
    | { readonly path: string }
    | { readonly fd: number },
): Promise<Server> {
  const server = createServer({ noDelay: true });
  server.maxConnections = CONNECTIONS_MAX;
  server.listen(where);
  await once(server, "listening");
  // Connections are not taken before this turn of the loop has ended.
  const isTcp = typeof server.address() === "object" && server.address() !== null;
  server.on("connection", (socket) => onConnection(socket, isTcp));
  return server;
}

/** Removes a socket that nobody listens on any more, as a killed process leaves it. */
async function removeStale(path: string): Promise<void> {
  try {
    if (!(await lstat(path)).isSocket()) {
      throw new StoreError("unavailable", `Cannot listen on ${path}: something else is there`);
    }
  } catch (error) {
    if (errnoOf(error) === "ENOENT") return;
    throw error;
  }
  const socket = connect({ path });
  try {
    await once(socket, "connect");
  } catch (error) {
    if (errnoOf(error) !== "ECONNREFUSED") throw error;
    await unlink(path);
    return;
  } finally {
    socket.destroy();
  }
  throw new StoreError("unavailable", `Cannot listen on ${path}: another process does`);
}

function portOf(server: Server): number {
  return (server.address() as { port: number }).port;
}

function describe(server: Server): string {
  const place = server.address();
  // Nothing is told of a unix socket that was inherited.
  if (place === null || typeof place === "string") return "unix:inherited";
  const { address, port } = place;
  return address.includes(":") ? `[${address}]:${port}` : `${address}:${port}`;
}

function cannotListen(where: string, error: unknown): StoreError {
  return new StoreError("unavailable", `Cannot listen on ${where}: ${messageOf(error)}`, {
    cause: error,
  });
}
