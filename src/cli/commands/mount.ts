import { availableParallelism } from "node:os";
import type { Argv } from "yargs";
import { messageOf } from "../../base/errors.js";
import type { Logger } from "../../base/log.js";
import { RangeLog } from "../../castore/fs/range-log.js";
import type { MountEngine } from "../../fuse/engine.js";
import { FirstEngine } from "../../fuse/first-engine.js";
import { FuseNativeEngine } from "../../fuse/fuse-native-engine.js";
import { KernelEngine } from "../../fuse/kernel-engine.js";
import { runMountSession } from "../../fuse/session.js";
import type { ListenAddress } from "../../grpc/listen-address.js";
import type { StoreServices } from "../../grpc/path-info-server.js";
import { LocalUploadRecords } from "../../http/local-upload-records.js";
import { LocalNarRecords } from "../../store/nar/local-records.js";
import { LocalPathInfoService } from "../../store/path-info/local.js";
import type { SubstitutingPathInfoService } from "../../store/path-info/substituting.js";
import type { StorePathReference } from "../../store/store-path-reference.js";
import { isRemote } from "../address.js";
import { HTTP_OPTIONS, type HttpArguments } from "../http-options.js";
import type { ServedStore } from "../http-serving.js";
import { inheritedSockets } from "../inherited-sockets.js";
import { createLogger, type LogArguments } from "../logger.js";
import { MountFetch, type MountFetchOptions, type MountWant } from "../mount-fetch.js";
import { type ProjectionRecipe, projectionOf } from "../mount-projection.js";
import type { MountWorkerRecipe } from "../mount-worker.js";
import { STORE_OPTIONS, withEnvironment } from "../options.js";
import { planPrefetch, runPrefetch } from "../prefetch.js";
import { ProgressBar } from "../progress-bar.js";
import {
  addressesOf,
  hasFarPathInfos,
  hasFarServices,
  type LocalStores,
  openFarServices,
  openLocalStores,
  type StoreArguments,
} from "../services.js";
import { type Serving, startServing } from "../serving.js";
import {
  CREDENTIALS_NOTE,
  LISTEN_ADDRESS_FORMS,
  readListenAddresses,
  SERVING_OPTIONS,
  type ServingArguments,
} from "../serving-options.js";
import { parsePathArgument } from "../store-object.js";
import { UsageError } from "../usage-error.js";

interface MountArguments extends StoreArguments, LogArguments, ServingArguments, HttpArguments {
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

const ENGINES = {
  auto: (kernel: MountEngine, portable: MountEngine) => new FirstEngine(kernel, portable),
  kernel: (kernel: MountEngine) => kernel,
  "fuse-native": (_kernel: MountEngine, portable: MountEngine) => portable,
} as const;

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
  const log = createLogger(options);
  const prefetched = options.prefetch.map(parsePathArgument);
  const { logLevel, logFormat, engine, threads, passthrough } = options;
  const store = storeArguments(options);
  const projection: ProjectionRecipe = {
    store,
    listable: isListable(options),
    ranges: new RangeLog().memory,
  };
  const isFetching = hasFarServices(store);
  if (isFetching && engine === "fuse-native") {
    throw new UsageError("--engine fuse-native shows local stores only; use --engine kernel");
  }
  if (prefetched.length > 0 && (store.substituter ?? []).length === 0) {
    throw new UsageError("--prefetch needs a --substituter to fetch from");
  }
  checkLazy(options);
  const stores = await openLocalStores(store);
  const far = await openFarServices(store, stores);
  const lazy: MountFetchOptions["lazy"] = {
    followMs: options.lazyDelay * 1000,
    rebind: (...args) => fileSystem.rebind(...args),
  };
  const fetch = far && new MountFetch(stores, far, log, options.lazy ? { lazy } : {});
  const fileSystem = projectionOf(projection, stores, fetch);
  if (options.lazy) {
    log.warn({}, "--lazy: what substituters list and send is shown before it is checked");
  }
  const kernel = new KernelEngine({
    worker: new URL("../mount-worker.js", import.meta.url),
    recipe: { projection, log: { logLevel, logFormat } } satisfies MountWorkerRecipe,
    passthrough: passthrough === "on",
    threads,
    fileSystem,
    fetch: async (want, signal, onProgress) => {
      if (fetch === undefined) throw new TypeError("A local store has nothing to fetch from");
      await fetch.fetch(want as MountWant, signal, onProgress);
    },
  });
  const portable = new FuseNativeEngine(fileSystem);
  const served = servicesOf(stores, fetch, isRemote(addressesOf(store).pathInfos));
  let serving: Serving | undefined;
  try {
    serving = await serve(options, served, log);
    await runMountSession({
      // The portable engine has no way to wait for something to be fetched.
      engine: far === undefined ? ENGINES[engine](kernel, portable) : kernel,
      mountPoint: options.dest,
      create: options.mkdir,
      allowOther: options.allowOther,
      log,
      onMounted: (mountPoint) => {
        process.stderr.write(`mounted ${mountPoint}\n`);
        if (far?.substitution !== undefined) void prefetch(prefetched, far.substitution, log);
      },
    });
  } finally {
    await serving?.stop(options.drainSeconds * 1000);
  }
  await fetch?.settle();
}

/** Serves what the mount shows, from the same stores; `undefined` when nothing says where. */
async function serve(
  options: MountArguments,
  store: StoreServices & ServedStore,
  log: Logger,
): Promise<Serving | undefined> {
  const addresses = [...inheritedSockets(process.env, process.pid), ...(options.listen ?? [])];
  if (addresses.length > 0 || options.http !== undefined) {
    return await startServing(options, addresses, store, log);
  }
  if (options.metrics !== undefined) {
    throw new UsageError("--metrics tells of what is served: give --listen or --http, too");
  }
  return undefined;
}

function servicesOf(
  stores: LocalStores,
  fetch: MountFetch | undefined,
  arePathInfosRemote: boolean,
): StoreServices & ServedStore {
  const far = fetch?.services;
  const { index } = stores.pathInfos;
  return {
    nars: new LocalNarRecords(index),
    uploads: arePathInfosRemote ? undefined : new LocalUploadRecords(index),
    blobs: far?.blobs ?? stores.blobs.blobs,
    directories: far?.directories ?? stores.directories.directories,
    pathInfos: far?.pathInfos ?? new LocalPathInfoService(index),
  };
}

/** Beside the mount, which goes on when it fails: what is looked at is fetched anyway. */
async function prefetch(
  references: readonly StorePathReference[],
  substitution: SubstitutingPathInfoService,
  log: Logger,
): Promise<void> {
  if (references.length === 0) return;
  try {
    const plan = await planPrefetch(references, substitution);
    const total = { count: plan.missing.length, bytes: plan.downloadBytes };
    const bar = new ProgressBar("fetching", "paths", total);
    const onProgress = bar.update.bind(bar);
    await runPrefetch(plan, substitution, onProgress).finally(() => bar.stop());
    log.info({ paths: total.count, bytes: total.bytes }, "prefetched");
  } catch (error) {
    log.warn({}, `cannot prefetch: ${messageOf(error)}`);
  }
}

function checkLazy(options: MountArguments): void {
  if (!options.lazy) return;
  const { blobs, directories, pathInfos } = addressesOf(options);
  if ([blobs, directories, pathInfos].some(isRemote)) {
    throw new UsageError("--lazy is for stores on this machine, in front of substituters");
  }
  if (!hasFarPathInfos(options)) throw new UsageError("--lazy needs a --substituter to look at");
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
  return {
    ...{ storeDir, blobServiceAddr, directoryServiceAddr, pathInfoServiceAddr },
    ...{ logLevel, logFormat, substituter, trustedPublicKey, checkSignatures },
    ...{ offline, netrcFile, connectTimeout, stallTimeout },
  };
}
