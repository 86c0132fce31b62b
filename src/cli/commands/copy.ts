import { readFile } from "node:fs/promises";
import { isDeepStrictEqual } from "node:util";
import type { Argv } from "yargs";
import { prepareForBulk } from "../../base/bulk-memory.js";
import { messageOf, StoreError } from "../../base/errors.js";
import { runAsBatch } from "../../base/run-as-batch.js";
import { CacheFolder } from "../../store/binary-cache/cache-folder.js";
import { CacheTarget } from "../../store/binary-cache/cache-target.js";
import { closureOf } from "../../store/closure.js";
import { cacheTransfers } from "../../store/copy/cache-transfers.js";
import { diskTransfer } from "../../store/copy/disk-transfer.js";
import { StoreTarget } from "../../store/copy/store-target.js";
import type { CopyTarget } from "../../store/copy/target.js";
import { runTransfers, type Transfer, type TransferResult } from "../../store/copy/transfer.js";
import type { SubstitutingPathInfoService } from "../../store/path-info/substituting.js";
import type { PathInfo } from "../../store/path-info.js";
import { parseReferenceGraph } from "../../store/reference-graph.js";
import type { StorePathReference } from "../../store/store-path-reference.js";
import { rootOf } from "../../store/substitution/closure-plan.js";
import { isRemote } from "../address.js";
import { addressesOf } from "../addresses.js";
import { isCacheAddress, parseCacheTarget } from "../cache-target-address.js";
import { CopyProgress } from "../copy-progress.js";
import { readSecretKeyFile } from "../input-files.js";
import { interruptible } from "../interruption.js";
import { JSON_OPTION, STORE_OPTIONS, withEnvironment } from "../options.js";
import { printJson, printLine } from "../output.js";
import { openServices, type Services, type StoreArguments } from "../services.js";
import { findPathInfo, parsePathArgument } from "../store-object.js";
import { UsageError } from "../usage-error.js";

interface CopyArguments extends StoreArguments {
  readonly paths: readonly string[];
  readonly from?: string;
  readonly to?: string;
  readonly recursive: boolean;
  readonly all: boolean;
  readonly referenceGraph?: string;
  readonly storeRoot: string;
  readonly json: boolean;
}

export function builder(yargs: Argv): Argv {
  return yargs
    .positional("paths", { describe: "STORE-PATH…", type: "string", array: true, default: [] })
    .options(
      withEnvironment({
        ...STORE_OPTIONS,
        ...JSON_OPTION,
        from: {
          describe:
            "Address of the store or binary cache to copy from " +
            "(default: the store of the other options)",
          type: "string",
          requiresArg: true,
        },
        to: {
          describe:
            "Address of the store to copy to, or of a binary cache in a folder: " +
            "nix+file:///folder?compression=zstd&secret-key=FILE",
          type: "string",
          requiresArg: true,
        },
        recursive: {
          describe: "Copy all they refer to as well (--no-recursive: only these)",
          type: "boolean",
          default: true,
        },
        all: { describe: "Everything in the store", type: "boolean", default: false },
        "reference-graph": {
          describe:
            "Copy the paths in this file from disk: what exportReferencesGraph or " +
            "`nix path-info --json -r` wrote",
          type: "string",
          requiresArg: true,
        },
        "store-root": {
          describe: "Folder in which the nix/store of --reference-graph lies",
          type: "string",
          default: "/",
          requiresArg: true,
        },
      }),
    )
    .example("$0 copy <hash> --to grpc+http://host:8000", "a path and its closure to a daemon")
    .example(
      "$0 copy --all --to 'nix+file:///srv/cache?compression=zstd'",
      "a binary cache for Nix",
    )
    .example("$0 copy --from grpc+unix:///run/tvix.sock --all", "everything of a daemon to here")
    .example("$0 copy <hash> --from https://cache.nixos.org --trusted-public-key …", "from a cache")
    .example("$0 copy --reference-graph closure.json", "what the Nix of this machine has");
}

/** Where the paths come from and go to. */
interface Ends {
  readonly options: CopyArguments;
  readonly references: readonly StorePathReference[];
  readonly signal: AbortSignal;
}

export async function handler(options: CopyArguments): Promise<void> {
  checkArguments(options);
  prepareForBulk();
  runAsBatch();
  const references = options.paths.map(parsePathArgument);
  const results = await interruptible(async (signal) => {
    const ends = { options, references, signal };
    if (options.referenceGraph !== undefined)
      return await copyFromDisk(options.referenceGraph, ends);
    const { from } = options;
    if (from !== undefined && isCacheAddress(from)) return await copyFromCache(from, ends);
    return await copyFromStore(ends);
  });
  if (options.json) {
    await printJson(results.map(resultJson));
    return;
  }
  for (const { storePath, moved } of results) {
    if (moved !== undefined) await printLine(String(storePath));
  }
}

function checkArguments({ paths, all, from, to, referenceGraph }: CopyArguments): void {
  const selections = [paths.length > 0, all, referenceGraph !== undefined].filter(Boolean).length;
  if (selections !== 1) throw new UsageError("Give store paths, --all or --reference-graph");
  if (referenceGraph !== undefined) {
    if (from !== undefined) throw new UsageError("--reference-graph copies from disk, not --from");
    if (to !== undefined && isCacheAddress(to)) {
      throw new UsageError(
        "--reference-graph copies into a store; copy from that to a binary cache",
      );
    }
    return;
  }
  if (from !== undefined && isCacheAddress(from)) {
    if (all) throw new UsageError("A binary cache does not list what it has: name the store paths");
    if (to !== undefined && isCacheAddress(to)) {
      throw new UsageError("From one binary cache to another goes by way of a store: copy twice");
    }
  }
  if (from === undefined && to === undefined) throw new UsageError("Give --from, --to or both");
}

async function copyFromStore({ options, references, signal }: Ends): Promise<TransferResult[]> {
  const { from, to } = options;
  // A bad target is known before anything is opened.
  const cache = to !== undefined && isCacheAddress(to) ? parseCacheTarget(to) : undefined;
  const key =
    cache?.secretKeyFile === undefined ? undefined : readSecretKeyFile(cache.secretKeyFile);
  const here = at(options, from);
  const there = targetAt(options, to);
  if (cache === undefined && isDeepStrictEqual(addressesOf(here), addressesOf(there))) {
    throw new UsageError("--from and --to are the same store");
  }
  await using source = await openServices(here, { create: false });
  if (cache !== undefined) {
    const folder = await CacheFolder.open(cache.folder);
    const target = new CacheTarget(folder, { compression: cache.compression, secretKey: key });
    return await copyAll(source, target, { options, references, signal });
  }
  await using services = await openServices(there, { create: true });
  const { blobs, directories, pathInfos } = addressesOf(here);
  const isHere = ![blobs, directories, pathInfos].some(isRemote);
  const sourceNars = isHere ? source.nars : undefined;
  return await copyAll(source, new StoreTarget(services, { sourceNars }), {
    options,
    references,
    signal,
  });
}

async function copyAll(
  source: Services,
  target: CopyTarget,
  { options, references, signal }: Ends,
): Promise<TransferResult[]> {
  const transfer = (pathInfo: PathInfo): Transfer => ({
    storePath: pathInfo.storePath,
    references: pathInfo.references.filter((each) => !each.equals(pathInfo.storePath)),
    narSize: pathInfo.narSize,
    isPresent: () => target.has(pathInfo),
    move: (how) => target.add(pathInfo, source, how),
  });
  const selected = await selectedPaths(source, references, options);
  return await transferred(selected.map(transfer), signal);
}

/** References first. */
async function selectedPaths(
  { pathInfos }: Services,
  references: readonly StorePathReference[],
  { all, recursive }: CopyArguments,
): Promise<PathInfo[]> {
  const roots = all
    ? await collect(pathInfos.list())
    : await Promise.all(references.map((each) => findPathInfo(each, pathInfos)));
  return recursive ? await collect(closureOf(roots, pathInfos)) : roots;
}

async function collect<T>(source: AsyncIterable<T>): Promise<T[]> {
  const items: T[] = [];
  for await (const item of source) items.push(item);
  return items;
}

/** What the cache says is checked as it is for every substituter. */
async function copyFromCache(
  from: string,
  { options, references, signal }: Ends,
): Promise<TransferResult[]> {
  const there = { ...at(options, options.to), substituter: [from] };
  await using target = await openServices(there, { create: true });
  const caches = target.substitution as SubstitutingPathInfoService;
  const roots = references.map(rootOf);
  const { recursive } = options;
  return await transferred(await cacheTransfers(roots, caches, { recursive, signal }), signal);
}

async function copyFromDisk(
  file: string,
  { options, signal }: Pick<Ends, "options" | "signal">,
): Promise<TransferResult[]> {
  const graph = parseReferenceGraph(await readGraph(file));
  const names = new Set(graph.map(({ storePath }) => storePath.basename));
  await using services = await openServices(targetAt(options, options.to), { create: true });
  const transfers = graph.map((entry) => diskTransfer(entry, names, options.storeRoot, services));
  return await transferred(transfers, signal);
}

async function transferred(
  transfers: readonly Transfer[],
  signal: AbortSignal,
): Promise<TransferResult[]> {
  const progress = new CopyProgress();
  try {
    return await runTransfers(transfers, progress, signal);
  } finally {
    progress.stop();
  }
}

async function readGraph(file: string): Promise<string> {
  try {
    return await readFile(file, "utf8");
  } catch (error) {
    const message = `Cannot read ${JSON.stringify(file)}: ${messageOf(error)}`;
    throw new StoreError("unavailable", message, { cause: error });
  }
}

/** The options of the store at `address`: all three services are there. */
function at(options: StoreArguments, address: string | undefined): StoreArguments {
  if (address === undefined) return options;
  return {
    ...options,
    blobServiceAddr: address,
    directoryServiceAddr: address,
    pathInfoServiceAddr: address,
  };
}

/** {@link at}, for a side that is asked what it has itself and not what it could fetch. */
function targetAt(options: StoreArguments, address: string | undefined): StoreArguments {
  return { ...at(options, address), substituter: [] };
}

function resultJson({ storePath, moved }: TransferResult) {
  return {
    path: String(storePath),
    copied: moved !== undefined,
    bytes: moved?.bytes ?? 0,
    ...(moved?.blobs === undefined ? {} : { blobs: moved.blobs }),
  };
}
