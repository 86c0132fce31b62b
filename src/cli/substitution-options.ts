import type { Options } from "yargs";
import { UsageError } from "./usage-error.js";

/** What the options say about binary caches. */
export interface SubstitutionArguments {
  readonly substituter?: readonly string[] | undefined;
  readonly trustedPublicKey?: readonly string[] | undefined;
  readonly checkSignatures?: boolean | undefined;
  readonly offline?: boolean | undefined;
  readonly netrcFile?: string | undefined;
  /** Seconds. */
  readonly connectTimeout?: number | undefined;
  /** Seconds. */
  readonly stallTimeout?: number | undefined;
  /** Seconds. */
  readonly narinfoCachePositiveTtl?: number | undefined;
  /** Seconds. */
  readonly narinfoCacheNegativeTtl?: number | undefined;
}

const SECONDS_MAX = 24 * 60 * 60;
const TTL_SECONDS_MAX = 365 * 24 * 60 * 60;

/** Options of every command that reads from a store. */
export const SUBSTITUTION_OPTIONS = {
  substituter: {
    describe:
      "Binary cache to fetch from what the store lacks: https://…, http://…, file:///…; repeatable",
    type: "string",
    array: true,
    // Without it an array takes the arguments that follow as well.
    nargs: 1,
    default: [],
    defaultDescription: "none",
    requiresArg: true,
    coerce: readWords,
  },
  "trusted-public-key": {
    describe: "Whose signatures to believe, NAME:BASE64; repeatable",
    type: "string",
    array: true,
    // Without it an array takes the arguments that follow as well.
    nargs: 1,
    default: [],
    defaultDescription: "none",
    requiresArg: true,
    coerce: readWords,
  },
  "check-signatures": {
    describe: "Take only what a trusted key or its content address vouches for",
    type: "boolean",
    default: true,
  },
  offline: {
    describe: "Ask no substituter",
    type: "boolean",
    default: false,
  },
  "netrc-file": {
    describe: "File with names and passwords for substituters, as curl reads it",
    type: "string",
    requiresArg: true,
  },
  "connect-timeout": {
    describe: "Seconds a substituter may take to be connected",
    type: "number",
    default: 5,
    coerce: (value: number) => checkSeconds("connect-timeout", value),
  },
  "stall-timeout": {
    describe: "Seconds a substituter may send nothing",
    type: "number",
    default: 30,
    coerce: (value: number) => checkSeconds("stall-timeout", value),
  },
  "narinfo-cache-positive-ttl": {
    describe: "Seconds that the store remembers what a substituter has",
    type: "number",
    default: 30 * 24 * 60 * 60,
    defaultDescription: "30 days",
    coerce: (value: number) => checkTtl("narinfo-cache-positive-ttl", value),
  },
  "narinfo-cache-negative-ttl": {
    describe: "Seconds that the store remembers what a substituter lacks",
    type: "number",
    default: 10 * 60,
    defaultDescription: "10 minutes",
    coerce: (value: number) => checkTtl("narinfo-cache-negative-ttl", value),
  },
} as const satisfies Record<string, Options>;

/** What a repeatable option was given; in an environment variable, separated by spaces. */
export function readWords(given: string | readonly string[]): string[] {
  return [given].flat().flatMap((text) => text.split(/\s+/).filter((word) => word !== ""));
}

function checkTtl(name: string, seconds: number): number {
  if (seconds >= 0 && seconds <= TTL_SECONDS_MAX) return seconds;
  throw new UsageError(`--${name} must be a number of seconds, at most ${TTL_SECONDS_MAX}`);
}

function checkSeconds(name: string, seconds: number): number {
  if (seconds > 0 && seconds <= SECONDS_MAX) return seconds;
  throw new UsageError(`--${name} must be a number of seconds above 0, at most ${SECONDS_MAX}`);
}
