/**
 * Whether a server may be reached from where it can be reached.
 */
import type { Logger } from "../base/log.js";
import { isPublic, parseListenAddress } from "../grpc/listen-address.js";
import type { ServerIdentity } from "./server-identity.js";
import type { ServingArguments } from "./serving-options.js";
import { UsageError } from "./usage-error.js";

/**
 * @param place where it listens, as the listener tells.
 * @throws {UsageError} when other machines could write without showing who they are, or show it to all who
 *   listen in between.
 */
export function checkExposure(
  place: string,
  { tls, tokens }: ServerIdentity,
  { readOnly, allowInsecure }: Pick<ServingArguments, "readOnly" | "allowInsecure">,
  log: Logger,
): void {
  if (!isPublic(parseListenAddress(place))) return;
  const knowsClients = tokens !== undefined || tls?.clientAuthority !== undefined;
  if (tls !== undefined && (knowsClients || readOnly)) return;
  if (readOnly && !knowsClients) {
    log.info({ address: place }, "other machines may read everything, unencrypted");
    return;
  }
  if (allowInsecure) {
    log.warn({ address: place }, "other machines may write, unencrypted or whoever they are");
    return;
  }
  const missing = [
    ...(tls === undefined ? ["TLS (--tls-cert, --tls-key)"] : []),
    ...(knowsClients ? [] : ["--tokens or --tls-client-ca"]),
  ];
  throw new UsageError(
    `Other machines can reach ${place}: that takes ${missing.join(" and ")}; ` +
      "--read-only if everybody may read; or --allow-insecure",
  );
}
