/**
 * Options, each of which can also be given as an environment variable.
 */
import { homedir } from "node:os";
import { join } from "node:path";
import type { Options } from "yargs";
import { SUBSTITUTION_OPTIONS } from "./substitution-options.js";
import { UsageError } from "./usage-error.js";

/** Variables that are not called `TVIX_` and the option's name. */
const VARIABLES: Readonly<Record<string, string>> = {
  "blob-service-addr": "BLOB_SERVICE_ADDR",
  "directory-service-addr": "DIRECTORY_SERVICE_ADDR",
  "path-info-service-addr": "PATH_INFO_SERVICE_ADDR",
  substituter: "TVIX_SUBSTITUTERS",
  "trusted-public-key": "TVIX_TRUSTED_PUBLIC_KEYS",
};

/**
 * `options` with the values of their environment variables as defaults, and the variables named in the
 * descriptions.
 *
 * @throws {UsageError} when a variable does not hold a value of the option's type.
 */
export function withEnvironment<const O extends Readonly<Record<string, Options>>>(options: O): O {
  const result: Record<string, Options> = {};
  for (const [name, option] of Object.entries(options)) {
    const variable = VARIABLES[name] ?? `TVIX_${name.toUpperCase().replaceAll("-", "_")}`;
    const text = process.env[variable];
    result[name] = {
      ...option,
      coerce: (value: unknown) => readOption(name, option, value),
      describe: `${option.describe} [env: ${variable}]`,
      ...(text === undefined || text === "" ? {} : { default: readValue(text, option, variable) }),
    };
  }
  return result as O;
}

/** The value of an option on the command line: of one given several times the last counts. */
function readOption(name: string, option: Options, given: unknown): unknown {
  const value: unknown = Array.isArray(given) && !option.array ? given.at(-1) : given;
  if (value === "" && option.requiresArg) throw new UsageError(`--${name} is empty`);
  return option.coerce === undefined ? value : option.coerce(value);
}

function readValue(text: string, option: Options, variable: string): unknown {
  const wrong = (expected: string) =>
    new UsageError(`${variable} is ${JSON.stringify(text)}, expected ${expected}`);
  if (option.choices !== undefined && !option.choices.includes(text)) {
    throw wrong(`one of ${option.choices.join(", ")}`);
  }
  switch (option.type) {
    case "boolean":
      if (/^(1|true|yes|on)$/i.test(text)) return true;
      if (/^(0|false|no|off)$/i.test(text)) return false;
      throw wrong("yes or no");
    case "number":
      if (/^\d+(\.\d+)?$/.test(text)) return Number(text);
      throw wrong("a number");
    default:
      return text;
  }
}

/** The last line of every help. */
export const EXIT_CODES = "Exit codes: 0 done, 1 failed, 2 wrong usage";

/** Options of every command. */
export const GLOBAL_OPTIONS = {
  "log-level": {
    describe: "How much to tell on stderr",
    choices: ["trace", "debug", "info", "warn", "error"],
    default: "info",
  },
  "log-format": {
    describe: "Log lines for people or for programs",
    choices: ["pretty", "json"],
    default: "pretty",
  },
} as const satisfies Record<string, Options>;

/** Options of every command that touches a store. */
export const STORE_OPTIONS = {
  "store-dir": {
    describe: "Folder of the embedded store",
    type: "string",
    default: defaultStoreDir(),
    defaultDescription: "/var/lib/tvix-store as root, else ~/.local/share/tvix-store",
    requiresArg: true,
  },
  "blob-service-addr": {
    describe: "Where blobs are kept",
    type: "string",
    defaultDescription: "local://<store-dir>",
    requiresArg: true,
  },
  "directory-service-addr": {
    describe: "Where directories are kept",
    type: "string",
    defaultDescription: "local://<store-dir>",
    requiresArg: true,
  },
  "path-info-service-addr": {
    describe: "Where path infos are kept",
    type: "string",
    defaultDescription: "local://<store-dir>",
    requiresArg: true,
  },
  ...SUBSTITUTION_OPTIONS,
} as const satisfies Record<string, Options>;

export const JSON_OPTION = {
  json: { describe: "Print JSON and nothing else", type: "boolean", default: false },
} as const satisfies Record<string, Options>;

function defaultStoreDir(): string {
  if (process.getuid?.() === 0) return "/var/lib/tvix-store";
  return join(process.env["XDG_DATA_HOME"] || join(homedir(), ".local/share"), "tvix-store");
}
