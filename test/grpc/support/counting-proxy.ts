/**
 * A unix socket in front of another one, which counts what passes.
 */
import { createConnection, createServer, type Server, type Socket } from "node:net";
import { join } from "node:path";
import { temporaryFolder } from "../../support/temp.js";

export class CountingProxy {
  readonly address: string;
  /** Bytes that came from the server. */
  receivedBytes = 0;
  /** Once so many bytes have come, nothing more goes through. */
  holdAfterBytes = Number.POSITIVE_INFINITY;
  /** Connections that were made. */
  connections = 0;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();

  private constructor(target: string, path: string) {
    this.address = `grpc+unix://${path}`;
    this.#server = createServer((client) => {
      this.connections++;
      const server = createConnection(target);
      for (const socket of [client, server]) {
        this.#sockets.add(socket);
        socket.on("error", () => {});
        socket.on("close", () => {
          this.#sockets.delete(socket);
          client.destroy();
          server.destroy();
        });
      }
      server.on("data", (bytes) => {
        this.receivedBytes += bytes.length;
        if (this.receivedBytes >= this.holdAfterBytes) server.pause();
      });
      client.pipe(server).pipe(client);
    });
  }

  /** Starts one in front of the socket at `target`. */
  static async start(target: string): Promise<CountingProxy> {
    const path = join(temporaryFolder(), "proxy");
    const proxy = new CountingProxy(target, path);
    await new Promise<void>((resolve) => proxy.#server.listen(path, resolve));
    return proxy;
  }

  /** Has nothing more go through the connections of now, which stay open: as where a line goes dead. */
  freezeConnections(): void {
    for (const socket of this.#sockets) socket.unpipe().removeAllListeners("data").pause();
  }

  dropConnections(): void {
    for (const socket of this.#sockets) socket.destroy();
  }

  close(): void {
    this.#server.close();
    this.dropConnections();
  }
}
