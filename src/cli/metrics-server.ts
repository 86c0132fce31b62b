/**
 * What operators watch, over plain HTTP: `/metrics` for Prometheus, `/healthz` for whoever restarts us.
 */
import { createServer, type Server, type ServerResponse } from "node:http";
import type { Socket } from "node:net";
import { collectDefaultMetrics, Gauge, Registry } from "prom-client";
import { CallMetrics } from "../grpc/call-metrics.js";
import type { CallRecord } from "../grpc/call-record.js";
import type { ListenAddress } from "../grpc/listen-address.js";
import { type Listener, openListener } from "../grpc/listener.js";

/** Requests are a few lines. */
const REQUEST_MS = 10_000;
const TEXT = "text/plain; charset=utf-8";

/** What the server is doing right now. */
export interface ServerLoad {
  readonly calls: number;
  readonly connections: number;
}

export class MetricsServer {
  readonly #registry = new Registry();
  readonly #calls = new CallMetrics(this.#registry);
  readonly #http: Server;
  readonly #sockets = new Set<Socket>();
  #listener: Listener | undefined;
  #isServing = true;

  constructor(load: () => ServerLoad) {
    collectDefaultMetrics({ register: this.#registry });
    const gauge = (name: string, help: string, value: () => number) =>
      new Gauge({
        name,
        help,
        registers: [this.#registry],
        collect() {
          this.set(value());
        },
      });
    gauge("tvix_store_grpc_calls", "Calls under way", () => load().calls);
    gauge("tvix_store_grpc_connections", "Connections of clients", () => load().connections);
    this.#http = createServer({ requestTimeout: REQUEST_MS, headersTimeout: REQUEST_MS });
    this.#http.on("request", ({ method, url }, response) => {
      if (method !== "GET" && method !== "HEAD") answer(response, 405, TEXT, "only GET\n");
      else this.#answer(url?.split("?")[0], response);
    });
  }

  /** @returns where. @throws {StoreError} `unavailable` when it cannot listen there. */
  async listen(address: ListenAddress): Promise<readonly string[]> {
    this.#listener = await openListener(address, (socket) => {
      socket.on("error", () => {});
      this.#sockets.add(socket);
      socket.once("close", () => this.#sockets.delete(socket));
      this.#http.emit("connection", socket);
    });
    return this.#listener.addresses;
  }

  /** Counts a call that is over. */
  add(record: CallRecord): void {
    this.#calls.add(record);
  }

  /** From now on `/healthz` tells that the server is about to end. */
  drain(): void {
    this.#isServing = false;
  }

  close(): void {
    this.#listener?.close();
    for (const socket of this.#sockets) socket.destroy();
  }

  #answer(path: string | undefined, response: ServerResponse): void {
    if (path === "/healthz") {
      if (this.#isServing) answer(response, 200, TEXT, "ok\n");
      else answer(response, 503, TEXT, "stopping\n");
    } else if (path === "/metrics") {
      this.#registry.metrics().then(
        (text) => answer(response, 200, this.#registry.contentType, text),
        (error: unknown) => answer(response, 500, TEXT, `${error}\n`),
      );
    } else {
      answer(response, 404, TEXT, "there are /metrics and /healthz\n");
    }
  }
}

function answer(response: ServerResponse, status: number, type: string, text: string): void {
  response.writeHead(status, { "content-type": type }).end(text);
}
