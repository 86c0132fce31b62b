import type { Argv } from "yargs";
import { prepareForBulk } from "../../../base/bulk-memory.js";
import { renderNar } from "../../../store/nar/render.js";
import { STORE_OPTIONS, withEnvironment } from "../../options.js";
import { isTerminal, writeAll } from "../../output.js";
import { openServices, type StoreArguments } from "../../services.js";
import { findObject, parseObjectArgument } from "../../store-object.js";
import { UsageError } from "../../usage-error.js";

interface DumpArguments extends StoreArguments {
  readonly path: string;
}

export function builder(yargs: Argv): Argv {
  return yargs
    .positional("path", { describe: "STORE-PATH[/SUB]", type: "string", demandOption: true })
    .options(withEnvironment(STORE_OPTIONS))
    .example("$0 nar dump <hash> | sha256sum", "the NAR hash, in hex")
    .example("$0 nar dump <hash>/share/doc > doc.nar", "a folder of a store path");
}

export async function handler(options: DumpArguments): Promise<void> {
  if (isTerminal) {
    throw new UsageError("A NAR is not for a terminal: redirect stdout to a file or a program");
  }
  const reference = parseObjectArgument(options.path);
  prepareForBulk();
  await using services = await openServices(options, { create: false });
  const { node } = await findObject(reference, services);
  await writeAll(renderNar(node, services, { transient: true }));
}
