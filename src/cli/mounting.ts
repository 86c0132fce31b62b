/**
 * What `tvix-store mount` does.
 */
import { prepareForBulk } from "../base/bulk-memory.js";
import { messageOf } from "../base/errors.js";
import type { Logger } from "../base/log.js";
import type { MountEngine } from "../fuse/engine.js";
import { FirstEngine } from "../fuse/first-engine.js";
import { FuseNativeEngine } from "../fuse/fuse-native-engine.js";
import { KernelEngine } from "../fuse/kernel-engine.js";
import { runMountSession } from "../fuse/session.js";
import type { StoreServices } from "../grpc/path-info-server.js";
import { LocalUploadRecords } from "../http/local-upload-records.js";
import { LocalNarRecords } from "../store/nar/local-records.js";
import { LocalPathInfoService } from "../store/path-info/local.js";
import type { SubstitutingPathInfoService } from "../store/path-info/substituting.js";
import type { StorePathReference } from "../store/store-path-reference.js";
import { isRemote } from "./address.js";
import { addressesOf, hasFarPathInfos, hasFarServices } from "./addresses.js";
import type { MountArguments } from "./commands/mount.js";
import type { ServedStore } from "./http-serving.js";
import { inheritedSockets } from "./inherited-sockets.js";
import { createLogger } from "./logger.js";
import { MountFetch, type MountFetchOptions, type MountWant } from "./mount-fetch.js";
import { type ProjectionRecipe, projectionOf } from "./mount-projection.js";
import { mountThreads } from "./mount-threads.js";
import { planPrefetch, runPrefetch } from "./prefetch.js";
import { ProgressBar } from "./progress-bar.js";
import { contentStoreOf, type LocalStores, openFarServices, openLocalStores } from "./services.js";
import { type Serving, startServing } from "./serving.js";
import { parsePathArgument } from "./store-object.js";
import { UsageError } from "./usage-error.js";

/** What a program needs to start is small, and whoever starts one first waits for it. */
const BULK_MS = 1000;

const ENGINES = {
  auto: (kernel: MountEngine, portable: MountEngine) => new FirstEngine(kernel, portable),
  kernel: (kernel: MountEngine) => kernel,
  "fuse-native": (_kernel: MountEngine, portable: MountEngine) => portable,
} as const;

/** Mounts the store that `projection` shows, until the mount has ended. */
export async function runMount(
  options: MountArguments,
  projection: ProjectionRecipe,
): Promise<void> {
  const log = createLogger(options);
  const prefetched = options.prefetch.map(parsePathArgument);
  const { engine, passthrough, threads, logLevel, logFormat } = options;
  const { store } = projection;
  if (hasFarServices(store) && engine === "fuse-native") {
    throw new UsageError("--engine fuse-native shows local stores only; use --engine kernel");
  }
  if (prefetched.length > 0 && (store.substituter ?? []).length === 0) {
    throw new UsageError("--prefetch needs a --substituter to fetch from");
  }
  checkLazy(options);
  await using stores = await openLocalStores(store);
  using far = await openFarServices(store, stores);
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
    pool: mountThreads({ projection, log: { logLevel, logFormat } }, threads, log),
    passthrough: passthrough === "on",
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
        if (far?.substitution === undefined) return;
        far.substitution.meet();
        setTimeout(prepareForBulk, BULK_MS).unref();
        void prefetch(prefetched, far.substitution, log);
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
  const content = contentStoreOf(stores, far);
  return {
    stageTree: content && (() => content.stageTree()),
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
