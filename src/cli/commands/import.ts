import { basename, resolve } from "node:path";
import type { Argv } from "yargs";
import { prepareForBulk } from "../../base/bulk-memory.js";
import { StoreError } from "../../base/errors.js";
import { runAsBatch } from "../../base/run-as-batch.js";
import { countTree } from "../../store/import/count-tree.js";
import { importTree } from "../../store/import/import-tree.js";
import type { PathInfoService } from "../../store/path-info/service.js";
import { SigningPathInfoService } from "../../store/path-info/signing.js";
import { ReferenceCandidates } from "../../store/references/candidates.js";
import { type StorePath, validateStorePathName } from "../../store/store-path.js";
import { readReferenceFile, readSecretKeyFile } from "../input-files.js";
import { JSON_OPTION, STORE_OPTIONS, withEnvironment } from "../options.js";
import { printJson, printLine } from "../output.js";
import { type PathInfoJson, pathInfoJson } from "../path-info-text.js";
import { ProgressBar } from "../progress-bar.js";
import { openServices, type StoreArguments } from "../services.js";
import { UsageError } from "../usage-error.js";

interface ImportArguments extends StoreArguments {
  readonly paths: readonly string[];
  readonly name?: string;
  readonly references: string;
  readonly secretKeyFile?: string;
  readonly json: boolean;
}

/** Values of `--references` that are no files. */
const REFERENCES_NONE = "none";
const REFERENCES_AUTO = "auto";

export function builder(yargs: Argv): Argv {
  return yargs
    .positional("paths", {
      describe: "Files or folders to store",
      type: "string",
      array: true,
      demandOption: true,
    })
    .options(
      withEnvironment({
        ...STORE_OPTIONS,
        ...JSON_OPTION,
        name: {
          describe: "Name of the store path, for a single PATH (default: the PATH's last part)",
          type: "string",
          requiresArg: true,
        },
        references: {
          describe:
            "Store paths to look for in what is imported, which then refers to those it names: " +
            "none, auto for all in the store, or a FILE with one per line",
          type: "string",
          default: REFERENCES_NONE,
          requiresArg: true,
        },
        "secret-key-file": {
          describe: "Sign the path infos with the key in this file, as `key generate` makes it",
          type: "string",
          requiresArg: true,
        },
      }),
    )
    .example("$0 import ./result", "prints /nix/store/<hash>-result")
    .example("$0 import --name docs '/usr/share/my docs'", "for names a store path may not have")
    .example("$0 import --references auto ./result", "refers to the store paths it names");
}

export async function handler(options: ImportArguments): Promise<void> {
  if (options.name !== undefined && options.paths.length > 1) {
    throw new UsageError("--name is for a single PATH");
  }
  const trees = options.paths.map((path) => ({
    path: resolve(path),
    name: nameFor(path, options.name),
  }));
  const listed =
    options.references === REFERENCES_NONE || options.references === REFERENCES_AUTO
      ? []
      : readReferenceFile(options.references);
  const key =
    options.secretKeyFile === undefined ? undefined : readSecretKeyFile(options.secretKeyFile);
  prepareForBulk();
  runAsBatch();
  await using services = await openServices(options, { create: true });
  const pathInfos = key ? new SigningPathInfoService(services.pathInfos, key) : services.pathInfos;
  const candidates = await candidatesFrom(options.references, listed, pathInfos);
  const results: PathInfoJson[] = [];
  for (const { path, name } of trees) {
    const bar = countingBar(name, Buffer.from(path));
    const pathInfo = await importTree(
      Buffer.from(path),
      name,
      { ...services, pathInfos },
      ({ entries, bytes }) => bar.update({ count: entries, bytes }),
      candidates,
    ).finally(() => bar.stop());
    if (options.references === REFERENCES_AUTO) candidates?.add(pathInfo.storePath);
    results.push(pathInfoJson(pathInfo));
    if (!options.json) await printLine(pathInfo.storePath.toString());
  }
  if (options.json) await printJson(results);
}

/** A bar whose total comes when the tree has been counted, beside the import. */
function countingBar(title: string, path: Uint8Array): ProgressBar {
  const bar = new ProgressBar(title, "files");
  if (!process.stderr.isTTY) return bar;
  countTree(path).then(
    ({ entries, bytes }) => {
      bar.total = { count: entries, bytes };
    },
    // The import itself meets the same error and reports it.
    () => {},
  );
  return bar;
}

/** Names are checked before anything is read or stored. */
function nameFor(path: string, given: string | undefined): string {
  const name = given ?? basename(resolve(path));
  try {
    validateStorePathName(name);
    return name;
  } catch (error) {
    if (!(error instanceof StoreError)) throw error;
    const hint = given === undefined ? `; give ${JSON.stringify(path)} another with --name` : "";
    throw new UsageError(`${error.message}${hint}`);
  }
}

/** What to look for; `undefined` for nothing at all. */
async function candidatesFrom(
  references: string,
  listed: readonly StorePath[],
  pathInfos: PathInfoService,
): Promise<ReferenceCandidates | undefined> {
  if (references === REFERENCES_NONE) return undefined;
  const candidates = new ReferenceCandidates();
  for (const path of listed) candidates.add(path);
  if (references === REFERENCES_AUTO) {
    for await (const { storePath } of pathInfos.list()) candidates.add(storePath);
  }
  return candidates;
}
