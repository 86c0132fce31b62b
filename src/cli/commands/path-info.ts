import type { Argv } from "yargs";
import { formatContentAddress } from "../../store/content-address.js";
import type { PathInfoService } from "../../store/path-info/service.js";
import type { PathInfo } from "../../store/path-info.js";
import { formatSignature } from "../../store/signature/signature-text.js";
import type { StorePathReference } from "../../store/store-path-reference.js";
import { JSON_OPTION, STORE_OPTIONS, withEnvironment } from "../options.js";
import { printJson, printLine } from "../output.js";
import { closureSize, type PathInfoJson, pathInfoJson } from "../path-info-text.js";
import { openServices, type StoreArguments } from "../services.js";
import { findPathInfo, parsePathArgument } from "../store-object.js";
import { UsageError } from "../usage-error.js";

interface PathInfoArguments extends StoreArguments {
  readonly paths: readonly string[];
  readonly all: boolean;
  readonly size: boolean;
  readonly closureSize: boolean;
  readonly sigs: boolean;
  readonly json: boolean;
}

export function builder(yargs: Argv): Argv {
  return yargs
    .positional("paths", { describe: "STORE-PATH…", type: "string", array: true, default: [] })
    .options(
      withEnvironment({
        ...STORE_OPTIONS,
        ...JSON_OPTION,
        all: { describe: "Everything in the store", type: "boolean", default: false },
        size: { alias: "s", describe: "Show the size of the NAR", type: "boolean", default: false },
        "closure-size": {
          alias: "S",
          describe: "Show the size of the path with all it refers to",
          type: "boolean",
          default: false,
        },
        sigs: { describe: "Show signatures", type: "boolean", default: false },
      }),
    )
    .example("$0 path-info --all", "every store path there is")
    .example("$0 path-info --json -S <hash>", "one path with its closure size, for programs");
}

export async function handler(options: PathInfoArguments): Promise<void> {
  if (options.all === options.paths.length > 0) {
    throw new UsageError("Give store paths or --all");
  }
  const references = options.paths.map(parsePathArgument);
  await using services = await openServices(options, { create: false });
  const { pathInfos } = services;
  const results: PathInfoJson[] = [];
  for await (const pathInfo of selected(references, pathInfos)) {
    const size = options.closureSize ? await closureSize(pathInfo, pathInfos) : undefined;
    if (options.json) results.push(pathInfoJson(pathInfo, size));
    else await printLine(lineOf(pathInfo, size, options));
  }
  if (options.json) await printJson(results);
}

/** Those asked for, or all there are. */
async function* selected(
  references: readonly StorePathReference[],
  pathInfos: PathInfoService,
): AsyncGenerator<PathInfo> {
  if (references.length === 0) yield* pathInfos.list();
  // All of them before the first line: nothing is printed when one is absent.
  else yield* await Promise.all(references.map((each) => findPathInfo(each, pathInfos)));
}

/** Columns separated by tabs, sizes right-aligned in 11 characters, as Nix prints them. */
function lineOf(
  pathInfo: PathInfo,
  closure: bigint | undefined,
  options: PathInfoArguments,
): string {
  const columns = [pathInfo.storePath.toString()];
  if (options.size) columns.push(String(pathInfo.narSize).padStart(11));
  if (closure !== undefined) columns.push(String(closure).padStart(11));
  if (options.sigs) {
    const ca = pathInfo.ca === undefined ? [] : [`ca:${formatContentAddress(pathInfo.ca)}`];
    columns.push([...ca, ...pathInfo.signatures.map(formatSignature)].join(" "));
  }
  return columns.join("\t");
}
