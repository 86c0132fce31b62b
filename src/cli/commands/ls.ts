import type { Argv } from "yargs";
import type { DirectoryService } from "../../castore/directory/service.js";
import type { DirectoryNode, Node } from "../../castore/node.js";
import { type JsonEntry, jsonEntry, jsonText, noEntries, printEntry } from "../listing.js";
import { JSON_OPTION, STORE_OPTIONS, withEnvironment } from "../options.js";
import { printJson } from "../output.js";
import { openServices, type StoreArguments } from "../services.js";
import { findObject, parseObjectArgument, readDirectory } from "../store-object.js";

interface LsArguments extends StoreArguments {
  readonly path: string;
  readonly long: boolean;
  readonly recursive: boolean;
  readonly directory: boolean;
  readonly json: boolean;
}

export function builder(yargs: Argv): Argv {
  return yargs
    .positional("path", { describe: "STORE-PATH[/SUB]", type: "string", demandOption: true })
    .options(
      withEnvironment({
        ...STORE_OPTIONS,
        ...JSON_OPTION,
        long: {
          alias: "l",
          describe: "Show type, size and target",
          type: "boolean",
          default: false,
        },
        recursive: {
          alias: "R",
          describe: "List what is below folders too",
          type: "boolean",
          default: false,
        },
        directory: {
          alias: "d",
          describe: "Show a folder itself, not what is in it",
          type: "boolean",
          default: false,
        },
      }),
    )
    .example("$0 ls -l -R /nix/store/<hash>-<name>", "everything in a store path, with sizes")
    .example("$0 ls --json <hash>/bin", "one folder, for programs");
}

export async function handler(options: LsArguments): Promise<void> {
  const reference = parseObjectArgument(options.path);
  await using services = await openServices(options, { create: false });
  const { node, name } = await findObject(reference, services);
  if (options.json) {
    await printJson(await describeNode(node, services.directories, options));
  } else if (node.type === "directory" && !options.directory) {
    await listFolder(node, services.directories, options);
  } else {
    await printEntry(node.type === "directory" ? Buffer.from(".") : name, node, options.long);
  }
}

async function listFolder(
  root: DirectoryNode,
  directories: DirectoryService,
  options: LsArguments,
): Promise<void> {
  const open = async (node: DirectoryNode, path: Uint8Array) => ({
    path,
    entries: (await readDirectory(node, directories)).entries(),
  });
  // A stack instead of recursion: how deep it goes is up to whoever made the tree.
  const stack = [await open(root, Buffer.from("."))];
  for (let top = stack.at(-1); top !== undefined; top = stack.at(-1)) {
    const next = top.entries.next();
    if (next.done) {
      stack.pop();
      continue;
    }
    const { name, node } = next.value;
    const path = Buffer.concat([top.path, Buffer.from("/"), name]);
    await printEntry(path, node, options.long);
    if (options.recursive && node.type === "directory") stack.push(await open(node, path));
  }
}

async function describeNode(
  root: Node,
  directories: DirectoryService,
  options: LsArguments,
): Promise<JsonEntry> {
  const result: JsonEntry = jsonEntry(root);
  const waiting: [Node, JsonEntry][] = options.directory ? [] : [[root, result]];
  for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
    const [node, json] = next;
    if (node.type !== "directory") continue;
    json.entries = noEntries();
    for (const entry of (await readDirectory(node, directories)).entries()) {
      const child = jsonEntry(entry.node);
      json.entries[jsonText(entry.name)] = child;
      if (options.recursive) waiting.push([entry.node, child]);
    }
  }
  return result;
}
