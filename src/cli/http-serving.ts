/**
 * Serving a store as a binary cache over HTTP.
 */
import type { Logger } from "../base/log.js";
import type { ListenAddress } from "../grpc/listen-address.js";
import { type Listener, openListener } from "../grpc/listener.js";
import { TlsAcceptor } from "../grpc/tls-acceptor.js";
import { HttpServer } from "../http/server.js";
import type { CacheServices } from "../http/services.js";
import type { UploadRecords } from "../http/upload-records.js";
import { checkExposure } from "./exposure.js";
import type { HttpArguments } from "./http-options.js";
import { readSecretKeyFile } from "./input-files.js";
import type { MetricsServer } from "./metrics-server.js";
import { ServerIdentityFiles } from "./server-identity.js";
import type { Serving } from "./serving.js";
import type { ServingArguments } from "./serving-options.js";
import { UsageError } from "./usage-error.js";

/** The store, and where it remembers uploads if it can. */
export interface ServedStore extends CacheServices {
  readonly uploads?: UploadRecords | undefined;
}

/**
 * Serves `store` at `addresses` from when it resolves, and says so on stderr. What it remembers of uploads is in
 * `store.uploads`.
 *
 * @throws {UsageError} when other machines could write without the means to know them.
 * @throws {StoreError} when it cannot listen, or a key, certificate or token is of no use.
 */
export async function startHttpServing(
  options: HttpArguments & ServingArguments,
  addresses: readonly ListenAddress[],
  store: ServedStore,
  log: Logger,
  metrics?: MetricsServer,
): Promise<Serving> {
  const { uploads } = store;
  const allowUpload = options.allowUpload && !options.readOnly;
  if (allowUpload && uploads === undefined) {
    throw new UsageError("--allow-upload takes path infos that are in a local store");
  }
  const files = new ServerIdentityFiles(options, process.env["CREDENTIALS_DIRECTORY"]);
  const { identity } = files;
  const { secretKeyFile } = options;
  const server = new HttpServer({
    services: store,
    uploads,
    log,
    allowUpload,
    tokens: identity.tokens,
    secretKey: secretKeyFile === undefined ? undefined : readSecretKeyFile(secretKeyFile),
    priority: options.cachePriority,
    onRequest: (record) => {
      // Tokens, queries and contents are not in it.
      log.debug(record, "request");
      count?.(record);
    },
  });
  const count = metrics?.watchRequests(() => server.load);
  const tls =
    identity.tls &&
    new TlsAcceptor(identity.tls, log, (socket) => server.accept(socket), ["http/1.1"]);
  const watch = files.watch((renewed) => {
    if (renewed.tokens !== undefined) server.tokens = renewed.tokens;
    if (renewed.tls !== undefined) tls?.renew(renewed.tls);
  }, log);
  const listeners: Listener[] = [];
  const stop = async (drainMs: number): Promise<void> => {
    for (const listener of listeners) listener.close();
    await server.stop(drainMs);
    watch[Symbol.dispose]();
  };
  try {
    for (const address of addresses) {
      const { listener, places } = await listen(address, server, tls);
      listeners.push(listener);
      for (const place of places) {
        checkExposure(place, identity, { ...options, readOnly: !allowUpload }, log);
      }
      for (const place of places) process.stderr.write(`http on ${place}\n`);
    }
  } catch (error) {
    await stop(0);
    throw error;
  }
  return { stop };
}

async function listen(address: ListenAddress, server: HttpServer, tls: TlsAcceptor | undefined) {
  const listener = await openListener(address, (socket, isTcp) => {
    if (tls === undefined || !isTcp) server.accept(socket);
    else tls.accept(socket);
  });
  return { listener, places: listener.addresses };
}
