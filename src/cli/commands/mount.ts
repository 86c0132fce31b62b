import type { Argv } from "yargs";
import { Projection } from "../../castore/fs/projection.js";
import { ResidentStore } from "../../castore/local/resident-store.js";
import { FuseNativeEngine } from "../../fuse/fuse-native-engine.js";
import { runMountSession } from "../../fuse/session.js";
import { LocalPathInfoService } from "../../store/path-info/local.js";
import { StoreRootNodes } from "../../store/store-root-nodes.js";
import { createLogger, type LogArguments } from "../logger.js";
import { STORE_OPTIONS, withEnvironment } from "../options.js";
import { openLocalStores, type StoreArguments } from "../services.js";

interface MountArguments extends StoreArguments, LogArguments {
  readonly dest: string;
  readonly listRoot: "auto" | "yes" | "no" | "";
  readonly allowOther: boolean;
  readonly mkdir: boolean;
}

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
          describe: "How to speak to the kernel",
          choices: ["auto", "fuse-native"],
          default: "auto",
        },
        mkdir: { describe: "Make DEST when it is not there", type: "boolean", default: true },
      }),
    )
    .example("$0 mount /nix/store", "then, in another shell: ls /nix/store")
    .example("$0 mount ./store --no-mkdir", "only if ./store exists");
}

export async function handler(options: MountArguments): Promise<void> {
  const log = createLogger(options);
  await using stores = await openLocalStores(options);
  using resident = new ResidentStore(stores);
  const roots = new StoreRootNodes(new LocalPathInfoService(stores.pathInfos.index), {
    listable: options.listRoot !== "no",
  });
  await runMountSession({
    engine: new FuseNativeEngine(new Projection(roots, resident)),
    mountPoint: options.dest,
    create: options.mkdir,
    allowOther: options.allowOther,
    log,
    onMounted: (mountPoint) => process.stderr.write(`mounted ${mountPoint}\n`),
  });
}
