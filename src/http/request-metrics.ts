/**
 * Requests in numbers.
 */
import { Counter, Histogram, type Registry } from "prom-client";
import type { RequestRecord } from "./server.js";

/** In seconds: from answers out of memory to uploads of large files. */
const BUCKETS = [0.001, 0.005, 0.02, 0.1, 0.5, 2, 10, 60, 600];
const LABELS = ["method", "route"] as const;
/** Clients may call a method what they like; each label is kept for good. */
const METHODS = new Set(["GET", "HEAD", "PUT"]);

export class RequestMetrics {
  readonly #handled: Counter<"method" | "route" | "code">;
  readonly #handling: Histogram<"method" | "route">;
  readonly #received: Counter<"method" | "route">;
  readonly #sent: Counter<"method" | "route">;

  constructor(registry: Registry) {
    const registers = [registry];
    this.#handled = new Counter({
      name: "http_server_requests_total",
      help: "Requests that have ended, by their status",
      labelNames: [...LABELS, "code"],
      registers,
    });
    this.#handling = new Histogram({
      name: "http_server_request_seconds",
      help: "How long requests took, uploads and downloads with their transfer",
      labelNames: LABELS,
      buckets: BUCKETS,
      registers,
    });
    this.#received = new Counter({
      name: "tvix_store_http_received_bytes_total",
      help: "Bytes of requests, headers included",
      labelNames: LABELS,
      registers,
    });
    this.#sent = new Counter({
      name: "tvix_store_http_sent_bytes_total",
      help: "Bytes of the bodies of replies",
      labelNames: LABELS,
      registers,
    });
  }

  add({ route, status, durationMs, receivedBytes, sentBytes, ...record }: RequestRecord): void {
    const method = METHODS.has(record.method) ? record.method : "other";
    const labels = { method, route };
    this.#handled.inc({ ...labels, code: status });
    this.#handling.observe(labels, durationMs / 1000);
    this.#received.inc(labels, receivedBytes);
    this.#sent.inc(labels, sentBytes);
  }
}
