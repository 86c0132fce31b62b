/**
 * Options of commands that serve a binary cache over HTTP.
 */
import type { Options } from "yargs";
import type { ListenAddress } from "../grpc/listen-address.js";
import { LISTEN_ADDRESS_FORMS, readListenAddresses } from "./serving-options.js";
import { UsageError } from "./usage-error.js";

export interface HttpArguments {
  readonly http?: readonly ListenAddress[] | undefined;
  readonly allowUpload: boolean;
  readonly secretKeyFile?: string | undefined;
  readonly cachePriority: number;
}

const PRIORITY_DEFAULT = 40;

export const HTTP_OPTIONS = {
  http: {
    describe: `Serve a Nix binary cache over HTTP, at ${LISTEN_ADDRESS_FORMS}`,
    type: "string",
    array: true,
    requiresArg: true,
    coerce: readListenAddresses,
  },
  "allow-upload": {
    describe: "Let HTTP clients upload (nix copy --to); other machines need a token to write",
    type: "boolean",
    default: false,
  },
  "secret-key-file": {
    describe: "Sign what is uploaded over HTTP with the key in this file, see `key generate`",
    type: "string",
    requiresArg: true,
  },
  "cache-priority": {
    describe: "Priority of the binary cache: Nix asks those with lower numbers first",
    type: "number",
    default: PRIORITY_DEFAULT,
    coerce: checkPriority,
  },
} as const satisfies Record<string, Options>;

function checkPriority(priority: number): number {
  if (Number.isSafeInteger(priority) && priority >= 0) return priority;
  throw new UsageError("--cache-priority must be a number from 0 on");
}
