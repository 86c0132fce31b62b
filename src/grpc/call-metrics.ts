/**
 * Calls in numbers, under the names that other gRPC servers use for them.
 */
import { status } from "@grpc/grpc-js";
import { Counter, Histogram, type Registry } from "prom-client";
import type { CallRecord } from "./call-record.js";

/** In seconds: from answers out of memory to uploads of large files. */
const BUCKETS = [0.001, 0.005, 0.02, 0.1, 0.5, 2, 10, 60, 600];
const LABELS = ["grpc_service", "grpc_method"] as const;

export class CallMetrics {
  readonly #handled: Counter<"grpc_service" | "grpc_method" | "grpc_code">;
  readonly #handling: Histogram<"grpc_service" | "grpc_method">;
  readonly #received: Counter<"grpc_service" | "grpc_method">;
  readonly #sent: Counter<"grpc_service" | "grpc_method">;

  constructor(registry: Registry) {
    const registers = [registry];
    this.#handled = new Counter({
      name: "grpc_server_handled_total",
      help: "Calls that have ended, by their status",
      labelNames: [...LABELS, "grpc_code"],
      registers,
    });
    this.#handling = new Histogram({
      name: "grpc_server_handling_seconds",
      help: "How long calls took, uploads and downloads with their transfer",
      labelNames: LABELS,
      buckets: BUCKETS,
      registers,
    });
    this.#received = new Counter({
      name: "tvix_store_grpc_received_bytes_total",
      help: "Bytes of messages in uploads",
      labelNames: LABELS,
      registers,
    });
    this.#sent = new Counter({
      name: "tvix_store_grpc_sent_bytes_total",
      help: "Bytes of messages in downloads",
      labelNames: LABELS,
      registers,
    });
  }

  add({ method, code, durationMs, receivedBytes, sentBytes }: CallRecord): void {
    const [, grpc_service = "", grpc_method = ""] = method.split("/");
    const labels = { grpc_service, grpc_method };
    this.#handled.inc({ ...labels, grpc_code: status[code] ?? "UNKNOWN" });
    this.#handling.observe(labels, durationMs / 1000);
    this.#received.inc(labels, receivedBytes);
    this.#sent.inc(labels, sentBytes);
  }
}
