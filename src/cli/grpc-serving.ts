/**
 * Serving a store over gRPC.
 */
import { status } from "@grpc/grpc-js";
import type { Logger } from "../base/log.js";
import type { CallRecord } from "../grpc/call-record.js";
import type { ListenAddress } from "../grpc/listen-address.js";
import type { StoreServices } from "../grpc/path-info-server.js";
import { GrpcServer } from "../grpc/server.js";
import { checkExposure } from "./exposure.js";
import type { MetricsServer } from "./metrics-server.js";
import { ServerIdentityFiles } from "./server-identity.js";
import type { Serving } from "./serving.js";
import type { ServingArguments } from "./serving-options.js";
import type { SubstitutionArguments } from "./substitution-options.js";
import { trustedKeysOf } from "./trusted-keys.js";

/**
 * Serves `services` at `addresses` from when it resolves, and says so on stderr.
 *
 * @throws {UsageError} when other machines would be let in without the means to know them.
 * @throws {StoreError} when it cannot listen, or a certificate or token is of no use.
 */
export async function startGrpcServing(
  options: ServingArguments & SubstitutionArguments,
  addresses: readonly ListenAddress[],
  services: StoreServices,
  log: Logger,
  metrics?: MetricsServer,
): Promise<Serving> {
  const files = new ServerIdentityFiles(options, process.env["CREDENTIALS_DIRECTORY"]);
  const { identity } = files;
  const { readOnly, allowIncomplete, allowOverwrite } = options;
  const server = new GrpcServer({
    services,
    log,
    ...identity,
    readOnly,
    allowIncomplete,
    allowOverwrite,
    trustedKeys: trustedKeysOf(options),
    onCall: (record) => {
      logCall(record, log);
      count?.(record);
    },
  });
  const count = metrics?.watchCalls(() => server.load);
  const watch = files.watch((renewed) => server.renew(renewed), log);
  const stop = async (drainMs: number): Promise<void> => {
    await server.stop(drainMs);
    watch[Symbol.dispose]();
  };
  try {
    for (const address of addresses) {
      const places = await server.listen(address);
      // Nothing that has connected meanwhile is heard before this.
      for (const place of places) checkExposure(place, identity, options, log);
      for (const place of places) process.stderr.write(`listening on ${place}\n`);
    }
  } catch (error) {
    await stop(0);
    throw error;
  }
  return { stop };
}

/** One line for each call. Tokens and contents are not in it. */
function logCall({ code, durationMs, ...record }: CallRecord, log: Logger): void {
  log.debug(
    { ...record, status: status[code], durationMs: Math.round(durationMs * 1000) / 1000 },
    "call",
  );
}
