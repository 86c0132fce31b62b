import { basename, resolve } from "node:path";
import type { Argv } from "yargs";
import { StoreError } from "../../base/errors.js";
import { importTree } from "../../store/import/import-tree.js";
import { validateStorePathName } from "../../store/store-path.js";
import { ImportProgressBar } from "../import-progress.js";
import { JSON_OPTION, STORE_OPTIONS, withEnvironment } from "../options.js";
import { printJson, printLine } from "../output.js";
import { type PathInfoJson, pathInfoJson } from "../path-info-text.js";
import { openServices, type StoreArguments } from "../services.js";
import { UsageError } from "../usage-error.js";

interface ImportArguments extends StoreArguments {
  readonly paths: readonly string[];
  readonly name?: string;
  readonly json: boolean;
}

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
      }),
    )
    .example("$0 import ./result", "prints /nix/store/<hash>-result")
    .example("$0 import --name docs '/usr/share/my docs'", "for names a store path may not have");
}

export async function handler(options: ImportArguments): Promise<void> {
  if (options.name !== undefined && options.paths.length > 1) {
    throw new UsageError("--name is for a single PATH");
  }
  const trees = options.paths.map((path) => ({
    path: resolve(path),
    name: nameFor(path, options.name),
  }));
  await using services = await openServices(options, { create: true });
  const results: PathInfoJson[] = [];
  for (const { path, name } of trees) {
    const bar = new ImportProgressBar(name, Buffer.from(path));
    const pathInfo = await importTree(Buffer.from(path), name, services, (progress) =>
      bar.update(progress),
    ).finally(() => bar.stop());
    results.push(pathInfoJson(pathInfo));
    if (!options.json) await printLine(pathInfo.storePath.toString());
  }
  if (options.json) await printJson(results);
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
