import { availableParallelism } from "node:os";
import type { Argv } from "yargs";
import { RangeLog } from "../../castore/fs/range-log.js";
import type { ListenAddress } from "../../grpc/listen-address.js";
import { isRemote } from "../address.js";
import { addressesOf } from "../addresses.js";
import { HTTP_OPTIONS, type HttpArguments } from "../http-options.js";
import type { LogArguments } from "../logger.js";
import { STORE_OPTIONS, withEnvironment } from "../options.js";
import type { StoreArguments } from "../services.js";
import {
  CREDENTIALS_NOTE,
  LISTEN_ADDRESS_FORMS,
  readListenAddresses,
  SERVING_OPTIONS,
  type ServingArguments,
} from "../serving-options.js";
import { readWords } from "../substitution-options.js";
import { UsageError } from "../usage-error.js";

export interface MountArguments
  extends StoreArguments,
    LogArguments,
    ServingArguments,
    HttpArguments {
  readonly dest: string;
  readonly listRoot: "auto" | "yes" | "no" | "";
  readonly allowOther: boolean;
  readonly engine: "auto" | "kernel" | "fuse-native";
  readonly threads: number;
  readonly passthrough: "on" | "off";
  readonly prefetch: readonly string[];
  readonly lazy: boolean;
  readonly lazyDelay: number;
  readonly mkdir: boolean;
  readonly listen?: readonly ListenAddress[];
}

const THREADS_MAX = 16;
const LAZY_DELAY_SECONDS_MAX = 24 * 60 * 60;

export function builder(yargs: Argv): Argv {
  return yargs
    .positional("dest", {
      describe: "Where to mount: an empty folder, /nix/store for programs to find their files",
      type: "string",
      demandOption: true,
    })
    .options(
      withEnvironment({
        ...STORE_OPTIONS,
        "list-root": {
          describe:
            "Let `ls DEST` list all store paths (auto: yes for a local store, no for a remote one)",
          choices: ["auto", "yes", "no"],
          default: "auto",
          coerce: (value: string) => (value === "" ? "yes" : value),
        },
        "allow-other": {
          describe: "Let other users in",
          type: "boolean",
          default: process.getuid?.() === 0,
          defaultDescription: "yes for root",
        },
        engine: {
          describe:
            "kernel: the FUSE protocol itself; fuse-native: through libfuse 2 (auto: kernel)",
          choices: ["auto", "kernel", "fuse-native"],
          default: "auto",
        },
        threads: {
          describe: "Threads that serve the kernel engine, 1 to 16",
          type: "number",
          default: Math.min(2, availableParallelism()),
          defaultDescription: "2, or 1 on one processor",
          coerce: checkThreads,
        },
        passthrough: {
          describe:
            "Let the kernel read large files itself: fast for few, slow for many opens (root)",
          choices: ["on", "off"],
          default: "off",
        },
        prefetch: {
          describe: "STORE-PATH to fetch with all it refers to while mounted; repeatable",
          type: "string",
          array: true,
          nargs: 1,
          default: [],
          defaultDescription: "none",
          requiresArg: true,
          coerce: readWords,
        },
        lazy: {
          describe:
            "Show a substituted path as its listing says it is, and read its files, before it is checked",
          type: "boolean",
          default: false,
        },
        "lazy-delay": {
          describe:
            "With --lazy, seconds from the first read of a file until all of its path follows",
          type: "number",
          default: 10,
          coerce: checkLazyDelay,
        },
        mkdir: { describe: "Make DEST when it is not there", type: "boolean", default: true },
        listen: {
          describe: `Serve the store over gRPC too, at ${LISTEN_ADDRESS_FORMS}`,
          type: "string",
          array: true,
          requiresArg: true,
          coerce: readListenAddresses,
        },
        ...SERVING_OPTIONS,
        ...HTTP_OPTIONS,
      }),
    )
    .example("$0 mount /nix/store", "then, in another shell: ls /nix/store")
    .example("$0 mount ./store --no-mkdir", "only if ./store exists")
    .example(
      "$0 mount ./store --listen unix:/run/store.sock",
      "a mount that others can import into",
    )
    .example(
      "$0 mount --substituter https://cache.nixos.org --trusted-public-key NAME:KEY /nix/store",
      "then run what was never installed",
    )
    .example(
      "$0 mount --lazy --substituter https://cache.example.org ./store",
      "look around in large paths of a cache of your own",
    )
    .epilogue(
      "What is at remote addresses is fetched as it is looked at, and kept in --store-dir. A store path " +
        "of a substituter is fetched as a whole, and shown when it has been checked.",
    )
    .epilogue(
      "With --lazy, where the cache has a listing (nix copy with write-nar-listing=true), its folders are shown " +
        "at once, and files of NARs that are not compressed are fetched alone. The rest follows once files " +
        "were read. Nobody signs listings: until all has arrived, user.tvix.verified is no and you trust the " +
        "cache and the way to it. What turns out wrong is withdrawn, with a message.",
    )
    .epilogue(CREDENTIALS_NOTE);
}

export async function handler(options: MountArguments): Promise<void> {
  const { runMount } = await import("../mounting.js");
  await runMount(options, {
    store: storeArguments(options),
    listable: isListable(options),
    ranges: new RangeLog().memory,
  });
}

/** A remote service would have to tell of every store path there is, over and over. */
function isListable(options: MountArguments): boolean {
  if (options.listRoot === "auto") return !isRemote(addressesOf(options).pathInfos);
  return options.listRoot !== "no";
}

function checkThreads(threads: number): number {
  if (Number.isInteger(threads) && threads >= 1 && threads <= THREADS_MAX) return threads;
  throw new UsageError(`--threads must be a number from 1 to ${THREADS_MAX}`);
}

function checkLazyDelay(seconds: number): number {
  if (seconds >= 0 && seconds <= LAZY_DELAY_SECONDS_MAX) return seconds;
  throw new UsageError(
    `--lazy-delay must be a number of seconds from 0 to ${LAZY_DELAY_SECONDS_MAX}`,
  );
}

/** The part of the options that other threads need. */
function storeArguments(options: MountArguments): StoreArguments {
  const { storeDir, blobServiceAddr, directoryServiceAddr, pathInfoServiceAddr } = options;
  const { logLevel, logFormat, substituter, trustedPublicKey, checkSignatures } = options;
  const { offline, netrcFile, connectTimeout, stallTimeout } = options;
  const { narinfoCachePositiveTtl, narinfoCacheNegativeTtl } = options;
  return {
    ...{ storeDir, blobServiceAddr, directoryServiceAddr, pathInfoServiceAddr },
    ...{ logLevel, logFormat, substituter, trustedPublicKey, checkSignatures },
    ...{ offline, netrcFile, connectTimeout, stallTimeout },
    ...{ narinfoCachePositiveTtl, narinfoCacheNegativeTtl },
  };
}
