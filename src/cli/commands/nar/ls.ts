import type { Argv } from "yargs";
import type { NarItem, NarReaderOptions } from "../../../store/nar/grammar.js";
import { NarReader } from "../../../store/nar/reader.js";
import { readInput } from "../../input.js";
import { type JsonEntry, jsonEntry, jsonText, noEntries, printEntry } from "../../listing.js";
import { createLogger, type LogArguments } from "../../logger.js";
import { narReaderOptions } from "../../nar-options.js";
import { JSON_OPTION, withEnvironment } from "../../options.js";
import { printJson } from "../../output.js";

interface LsArguments extends LogArguments {
  readonly file: string;
  readonly long: boolean;
  readonly json: boolean;
}

export function builder(yargs: Argv): Argv {
  return yargs
    .positional("file", {
      describe: "A NAR, uncompressed; - for stdin",
      type: "string",
      demandOption: true,
    })
    .options(
      withEnvironment({
        json: {
          ...JSON_OPTION.json,
          describe: "Print a listing as binary caches have them, version 1, with offsets",
        },
        long: {
          alias: "l",
          describe: "Show type, size and target",
          type: "boolean",
          default: false,
        },
      }),
    )
    .example("$0 nar ls -l hello.nar", "everything in it, with sizes")
    .example("xz -dc hello.nar.xz | $0 nar ls - --json > hello.ls", "the listing beside a narinfo");
}

export async function handler(options: LsArguments): Promise<void> {
  // A lone dash arrives as an empty string.
  const source = readInput(options.file || "-", "A NAR");
  const limits = narReaderOptions(createLogger(options));
  if (options.json) await printJson({ version: 1, root: await listing(source, limits) });
  else await printEntries(source, limits, options.long);
}

/** Each entry as soon as it is read. */
async function printEntries(
  source: AsyncIterable<Uint8Array>,
  limits: NarReaderOptions,
  long: boolean,
): Promise<void> {
  const names: Uint8Array[] = [];
  for await (const item of itemsOf(source, limits)) {
    if (item.type === "directory-end") {
      names.pop();
      continue;
    }
    if (names.length > 0) await printEntry(pathOf([...names, item.name]), item, long);
    else if (item.type !== "directory") await printEntry(ROOT, item, long);
    if (item.type === "directory") names.push(names.length === 0 ? ROOT : item.name);
  }
}

const ROOT = Buffer.from(".");
const SLASH = Buffer.from("/");

function pathOf(names: readonly Uint8Array[]): Buffer {
  return Buffer.concat(names.flatMap((name) => [SLASH, name]).slice(1));
}

/** The root of a listing file, as `nix-store` writes it beside a narinfo. */
async function listing(
  source: AsyncIterable<Uint8Array>,
  limits: NarReaderOptions,
): Promise<JsonEntry> {
  const open: Record<string, JsonEntry>[] = [];
  let root: JsonEntry | undefined;
  for await (const item of itemsOf(source, limits)) {
    if (item.type === "directory-end") {
      open.pop();
      continue;
    }
    const entry = describe(item);
    const parent = open.at(-1);
    if (parent === undefined) root = entry;
    else parent[jsonText(item.name)] = entry;
    if (entry.entries !== undefined) open.push(entry.entries);
  }
  return root as JsonEntry;
}

function describe(item: Exclude<NarItem, { type: "directory-end" }>): JsonEntry {
  const entry = jsonEntry(item);
  if (item.type === "directory") return { ...entry, entries: noEntries() };
  return item.type === "file" ? { ...entry, narOffset: item.offset } : entry;
}

/** What is in a NAR, passing over contents. */
async function* itemsOf(
  source: AsyncIterable<Uint8Array>,
  limits: NarReaderOptions,
): AsyncGenerator<NarItem> {
  await using reader = new NarReader(source, limits);
  for (let item = await reader.next(); item !== undefined; item = await reader.next()) {
    yield item;
    if (item.type === "file") await reader.skip();
  }
}
