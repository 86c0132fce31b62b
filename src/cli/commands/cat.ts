import type { Argv } from "yargs";
import { StoreError } from "../../base/errors.js";
import { STORE_OPTIONS, withEnvironment } from "../options.js";
import { writeAll } from "../output.js";
import { openServices, type StoreArguments } from "../services.js";
import { describe, findObject, parseObjectArgument } from "../store-object.js";

interface CatArguments extends StoreArguments {
  readonly path: string;
}

export function builder(yargs: Argv): Argv {
  return yargs
    .positional("path", { describe: "STORE-PATH/SUB", type: "string", demandOption: true })
    .options(withEnvironment(STORE_OPTIONS))
    .example("$0 cat /nix/store/<hash>-<name>/share/doc/README", "one file to stdout");
}

export async function handler(options: CatArguments): Promise<void> {
  const reference = parseObjectArgument(options.path);
  await using services = await openServices(options, { create: false });
  const { node, path } = await findObject(reference, services);
  if (node.type !== "file") {
    throw new StoreError("invalid-argument", `${path} is a ${describe(node)}, not a file`);
  }
  await using reader = await services.blobs.openRead(node.digest);
  if (reader === undefined) {
    throw new StoreError(
      "dangling-reference",
      `Blob ${node.digest} of ${path} is missing from the store`,
    );
  }
  await writeAll(reader.stream(undefined, { transient: true }));
}
