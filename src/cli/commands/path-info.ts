import type { Argv } from "yargs";
import { closureOf } from "../../store/closure.js";
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
  readonly recursive: boolean;
  readonly size: boolean;
  readonly closureSize: boolean;
  readonly humanReadable: boolean;
  readonly sigs: boolean;
  readonly json: boolean;
}

const UNITS = " KMGTPEZY";

export function builder(yargs: Argv): Argv {
  return yargs
    .positional("paths", { describe: "STORE-PATH…", type: "string", array: true, default: [] })
    .options(
      withEnvironment({
        ...STORE_OPTIONS,
        ...JSON_OPTION,
        all: { describe: "Everything in the store", type: "boolean", default: false },
        recursive: {
          alias: "r",
          describe: "All they refer to as well, references first",
          type: "boolean",
          default: false,
        },
        size: { alias: "s", describe: "Show the size of the NAR", type: "boolean", default: false },
        "closure-size": {
          alias: "S",
          describe: "Show the size of the path with all it refers to",
          type: "boolean",
          default: false,
        },
        "human-readable": {
          alias: "h",
          describe: "Show sizes as 5.7G, not in bytes",
          type: "boolean",
          default: false,
        },
        sigs: { describe: "Show signatures", type: "boolean", default: false },
      }),
    )
    .example("$0 path-info --all", "every store path there is")
    .example("$0 path-info -r <hash>", "its closure")
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
  for await (const pathInfo of selected(references, pathInfos, options)) {
    const size = options.closureSize ? await closureSize(pathInfo, pathInfos) : undefined;
    if (options.json) results.push(pathInfoJson(pathInfo, size));
    else await printLine(lineOf(pathInfo, size, options));
  }
  if (options.json) await printJson(results);
}

/** Those asked for, with all they refer to if that was asked for, or all there are. */
async function* selected(
  references: readonly StorePathReference[],
  pathInfos: PathInfoService,
  { recursive }: PathInfoArguments,
): AsyncGenerator<PathInfo> {
  if (references.length === 0) return yield* pathInfos.list();
  // All of them before the first line: nothing is printed when one is absent.
  const found = await Promise.all(references.map((each) => findPathInfo(each, pathInfos)));
  yield* recursive ? closureOf(found, pathInfos) : found;
}

/** Columns separated by tabs, as Nix prints them, but for its padding of paths to the longest. */
function lineOf(
  pathInfo: PathInfo,
  closure: bigint | undefined,
  options: PathInfoArguments,
): string {
  const columns = [pathInfo.storePath.toString()];
  const sizeText = options.humanReadable ? readableSize : exactSize;
  if (options.size) columns.push(sizeText(pathInfo.narSize));
  if (closure !== undefined) columns.push(sizeText(closure));
  if (options.sigs) {
    const ca = pathInfo.ca === undefined ? [] : [`ca:${formatContentAddress(pathInfo.ca)}`];
    columns.push([...ca, ...pathInfo.signatures.map(formatSignature)].join(" "));
  }
  return columns.join("\t");
}

function exactSize(bytes: bigint): string {
  return String(bytes).padStart(11);
}

/** In powers of 1024, the unit one letter. */
function readableSize(bytes: bigint): string {
  let value = Number(bytes);
  let power = 0;
  for (; value > 1024 && power < UNITS.length - 1; power++) value /= 1024;
  return `${value.toFixed(1).padStart(6)}${UNITS[power]}`;
}
