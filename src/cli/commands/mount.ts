import { availableParallelism } from "node:os";
import type { Argv } from "yargs";
import { StoreError } from "../../base/errors.js";
import { RangeLog } from "../../castore/fs/range-log.js";
import type { MountEngine } from "../../fuse/engine.js";
import { FirstEngine } from "../../fuse/first-engine.js";
import { FuseNativeEngine } from "../../fuse/fuse-native-engine.js";
import { KernelEngine } from "../../fuse/kernel-engine.js";
import { runMountSession } from "../../fuse/session.js";
import { createLogger, type LogArguments } from "../logger.js";
import { openProjection, type ProjectionRecipe } from "../mount-projection.js";
import type { MountWorkerRecipe } from "../mount-worker.js";
import { STORE_OPTIONS, withEnvironment } from "../options.js";
import type { StoreArguments } from "../services.js";
import { UsageError } from "../usage-error.js";

interface MountArguments extends StoreArguments, LogArguments {
  readonly dest: string;
  readonly listRoot: "auto" | "yes" | "no" | "";
  readonly allowOther: boolean;
  readonly engine: "auto" | "kernel" | "fuse-native";
  readonly threads: number;
  readonly passthrough: "on" | "off";
  readonly mkdir: boolean;
}

const THREADS_MAX = 16;

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
          describe: "Let `ls DEST` list all store paths (auto: yes, a local store can tell)",
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
        mkdir: { describe: "Make DEST when it is not there", type: "boolean", default: true },
      }),
    )
    .example("$0 mount /nix/store", "then, in another shell: ls /nix/store")
    .example("$0 mount ./store --no-mkdir", "only if ./store exists");
}

export async function handler(options: MountArguments): Promise<void> {
  const log = createLogger(options);
  const { logLevel, logFormat, engine, threads, passthrough } = options;
  const projection: ProjectionRecipe = {
    store: storeArguments(options),
    listable: options.listRoot !== "no",
    ranges: new RangeLog().memory,
  };
  const fileSystem = await openProjection(projection);
  const kernel = new KernelEngine({
    worker: new URL("../mount-worker.js", import.meta.url),
    recipe: { projection, log: { logLevel, logFormat } } satisfies MountWorkerRecipe,
    passthrough: passthrough === "on",
    threads,
    fileSystem,
    fetch: neverFetch,
  });
  const portable = new FuseNativeEngine(fileSystem);
  await runMountSession({
    engine: ENGINES[engine](kernel, portable),
    mountPoint: options.dest,
    create: options.mkdir,
    allowOther: options.allowOther,
    log,
    onMounted: (mountPoint) => process.stderr.write(`mounted ${mountPoint}\n`),
  });
  // A thread of the engine may wait for the kernel, for as long as a detached mount has files open.
  process.exit();
}

/** Every store is on this machine: nothing is ever missed that could be fetched. */
async function neverFetch(): Promise<never> {
  throw new StoreError("internal", "A local store has nothing to fetch from");
}

function checkThreads(threads: number): number {
  if (Number.isInteger(threads) && threads >= 1 && threads <= THREADS_MAX) return threads;
  throw new UsageError(`--threads must be a number from 1 to ${THREADS_MAX}`);
}

/** The part of the options that other threads need. */
function storeArguments(options: StoreArguments): StoreArguments {
  const { storeDir, blobServiceAddr, directoryServiceAddr, pathInfoServiceAddr } = options;
  return { storeDir, blobServiceAddr, directoryServiceAddr, pathInfoServiceAddr };
}
