/**
 * Serving a store to other programs, for the commands that do: over gRPC, as a binary cache over HTTP, and the
 * figures of both.
 */
import { prepareForBulk } from "../base/bulk-memory.js";
import type { Logger } from "../base/log.js";
import type { ListenAddress } from "../grpc/listen-address.js";
import type { StoreServices } from "../grpc/path-info-server.js";
import type { HttpArguments } from "./http-options.js";
import type { ServedStore } from "./http-serving.js";
import type { ServingArguments } from "./serving-options.js";
import type { SubstitutionArguments } from "./substitution-options.js";

export interface Serving {
  /** Takes no more calls, lets those under way end within `drainMs`, cuts off the rest. */
  stop(drainMs: number): Promise<void>;
}

/**
 * Serves `store` over gRPC at `grpcAddresses` and over HTTP where `options` say, from when it resolves, and
 * says so on stderr. What is not asked for is not loaded: it takes a while.
 *
 * @throws {UsageError} when other machines would be let in without the means to know them.
 * @throws {StoreError} when it cannot listen, or a key, certificate or token is of no use.
 */
export async function startServing(
  options: ServingArguments & HttpArguments & SubstitutionArguments,
  grpcAddresses: readonly ListenAddress[],
  store: StoreServices & ServedStore,
  log: Logger,
): Promise<Serving> {
  prepareForBulk();
  const metrics = options.metrics && new (await import("./metrics-server.js")).MetricsServer();
  const running: Serving[] = [];
  const stop = async (drainMs: number): Promise<void> => {
    metrics?.drain();
    await Promise.all(running.map((each) => each.stop(drainMs)));
    metrics?.close();
  };
  try {
    if (options.metrics !== undefined) {
      for (const place of (await metrics?.listen(options.metrics)) ?? []) {
        process.stderr.write(`metrics on ${place}\n`);
      }
    }
    if (grpcAddresses.length > 0) {
      const { startGrpcServing } = await import("./grpc-serving.js");
      running.push(await startGrpcServing(options, grpcAddresses, store, log, metrics));
    }
    if (options.http !== undefined) {
      const { startHttpServing } = await import("./http-serving.js");
      running.push(await startHttpServing(options, options.http, store, log, metrics));
    }
  } catch (error) {
    await stop(0);
    throw error;
  }
  return { stop };
}
