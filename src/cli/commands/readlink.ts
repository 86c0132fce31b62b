import type { Argv } from "yargs";
import { StoreError } from "../../base/errors.js";
import { STORE_OPTIONS, withEnvironment } from "../options.js";
import { displayName, printLine } from "../output.js";
import { openServices, type StoreArguments } from "../services.js";
import { describe, findObject, parseObjectArgument } from "../store-object.js";

interface ReadlinkArguments extends StoreArguments {
  readonly path: string;
}

export function builder(yargs: Argv): Argv {
  return yargs
    .positional("path", { describe: "STORE-PATH/SUB", type: "string", demandOption: true })
    .options(withEnvironment(STORE_OPTIONS))
    .example("$0 readlink /nix/store/<hash>-<name>/bin/sh", "where a symlink points");
}

export async function handler(options: ReadlinkArguments): Promise<void> {
  const reference = parseObjectArgument(options.path);
  await using services = await openServices(options, { create: false });
  const { node, path } = await findObject(reference, services);
  if (node.type !== "symlink") {
    throw new StoreError("invalid-argument", `${path} is a ${describe(node)}, not a symlink`);
  }
  await printLine(displayName(node.target));
}
