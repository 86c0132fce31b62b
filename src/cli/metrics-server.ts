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
import { RequestMetrics } from "../http/request-metrics.js";
import type { RequestRecord } from "../http/server.js";

/** Requests are a few lines. */
const REQUEST_MS = 10_000;
const TEXT = "text/plain; charset=utf-8";

export class MetricsServer {
  readonly #registry = new Registry();
  readonly #http: Server;
  readonly #sockets = new Set<Socket>();
  #listener: Listener | undefined;
  #isServing = true;

  constructor() {
    collectDefaultMetrics({ register: this.#registry });
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

  /** Watches the gRPC server, of which `load` tells. @returns what counts a call that is over. */
  watchCalls(load: () => { calls: number; connections: number }): (record: CallRecord) => void {
    this.#gauge("tvix_store_grpc_calls", "Calls under way", () => load().calls);
    this.#gauge("tvix_store_grpc_connections", "Clients' connections", () => load().connections);
    const metrics = new CallMetrics(this.#registry);
    return (record) => metrics.add(record);
  }

  /** Watches the binary cache, of which `load` tells. @returns what counts a request that is over. */
  watchRequests(
    load: () => { requests: number; connections: number },
  ): (record: RequestRecord) => void {
    this.#gauge("tvix_store_http_requests", "Requests under way", () => load().requests);
    this.#gauge("tvix_store_http_connections", "Clients' connections", () => load().connections);
    const metrics = new RequestMetrics(this.#registry);
    return (record) => metrics.add(record);
  }

  /** From now on `/healthz` tells that the server is about to end. */
  drain(): void {
    this.#isServing = false;
  }

  close(): void {
    this.#listener?.close();
    for (const socket of this.#sockets) socket.destroy();
  }

  #gauge(name: string, help: string, value: () => number): void {
    new Gauge({
      name,
      help,
      registers: [this.#registry],
      collect() {
        this.set(value());
      },
    });
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
