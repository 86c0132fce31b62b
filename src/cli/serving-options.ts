/**
 * Options of commands that serve the store over gRPC.
 */

import type { Options } from "yargs";
import { isStoreError } from "../base/errors.js";
import { type ListenAddress, parseListenAddress } from "../grpc/listen-address.js";
import { UsageError } from "./usage-error.js";

export interface ServingArguments {
  readonly tlsCert?: string | undefined;
  readonly tlsKey?: string | undefined;
  readonly tlsClientCa?: string | undefined;
  readonly tokens?: string | undefined;
  readonly readOnly: boolean;
  readonly allowInsecure: boolean;
  readonly allowIncomplete: boolean;
  readonly allowOverwrite: boolean;
  readonly metrics?: ListenAddress | undefined;
  readonly drainSeconds: number;
}

/** For the help of the option that takes addresses. */
export const LISTEN_ADDRESS_FORMS =
  "HOST:PORT, [IPV6]:PORT or unix:/path[?mode=660]; may be given several times";

export const SERVING_OPTIONS = {
  "tls-cert": {
    describe: "Speak TLS on TCP, with the certificate (and those between) in this PEM file",
    type: "string",
    requiresArg: true,
  },
  "tls-key": { describe: "The key of --tls-cert", type: "string", requiresArg: true },
  "tls-client-ca": {
    describe: "Let in clients with a certificate of these authorities only",
    type: "string",
    requiresArg: true,
  },
  tokens: {
    describe: "Let in calls with a token only; lines of `read NAME TOKEN` or `write NAME TOKEN`",
    type: "string",
    requiresArg: true,
  },
  "read-only": { describe: "Take no uploads", type: "boolean", default: false },
  "allow-insecure": {
    describe: "Let other machines write without TLS, or without a token or certificate",
    type: "boolean",
    default: false,
  },
  "allow-incomplete": {
    describe: "Take path infos whose content is not in the store",
    type: "boolean",
    default: false,
  },
  "allow-overwrite": {
    describe: "Take path infos that contradict what is stored, in its place",
    type: "boolean",
    default: false,
  },
  metrics: {
    describe: "Answer /metrics (Prometheus) and /healthz at this address over HTTP",
    type: "string",
    requiresArg: true,
    coerce: readMetricsAddress,
  },
  "drain-seconds": {
    describe: "How long calls under way may take to end after SIGTERM or Ctrl-C",
    type: "number",
    default: 30,
    coerce: checkSeconds,
  },
} as const satisfies Record<string, Options>;

/** For the end of a command's help. */
export const CREDENTIALS_NOTE =
  "Without --tls-cert, --tls-key, --tls-client-ca or --tokens the file of that name in " +
  "$CREDENTIALS_DIRECTORY is used if there is one (systemd's LoadCredential=). All are read again " +
  "when they change. Sockets of systemd (LISTEN_FDS) are served too.";

/** Addresses to listen on; those of an environment variable are separated by spaces. */
export function readListenAddresses(
  given: string | readonly string[] | undefined,
): ListenAddress[] {
  const texts = [given ?? []]
    .flat()
    .flatMap((text) => text.split(" ").filter((word) => word !== ""));
  if (given !== undefined && texts.length === 0)
    throw new UsageError("The listen address is empty");
  try {
    return texts.map(parseListenAddress);
  } catch (error) {
    throw isStoreError(error) ? new UsageError(error.message) : error;
  }
}

function readMetricsAddress(given: string | undefined): ListenAddress | undefined {
  if (given === undefined) return undefined;
  const [address, ...more] = readListenAddresses(given);
  if (address !== undefined && more.length === 0) return address;
  throw new UsageError("--metrics takes one address");
}

function checkSeconds(seconds: number): number {
  if (seconds >= 0 && seconds < Number.POSITIVE_INFINITY) return seconds;
  throw new UsageError("--drain-seconds must be a number from 0 on");
}
