import type { Argv } from "yargs";
import { renderNar } from "../../store/nar/render.js";
import { EXIT_CODES, STORE_OPTIONS, withEnvironment } from "../options.js";
import { writeOut } from "../output.js";
import { openServices, type StoreArguments } from "../services.js";
import { findObject, parseObjectArgument } from "../store-object.js";
import { UsageError } from "../usage-error.js";

interface NarArguments extends StoreArguments {
  readonly path: string;
}

const EXAMPLE = ["$0 nar dump <hash> | sha256sum", "the NAR hash, in hex"] as const;

export function builder(yargs: Argv): Argv {
  return yargs
    .command(
      "dump <path>",
      "Write what a store path holds to stdout as a NAR",
      (dump) =>
        dump
          .positional("path", { describe: "STORE-PATH[/SUB]", type: "string", demandOption: true })
          .options(withEnvironment(STORE_OPTIONS))
          .example(...EXAMPLE)
          .epilogue(EXIT_CODES),
      (options) => dumpNar(options as unknown as NarArguments),
    )
    .example(...EXAMPLE)
    .demandCommand(1, "Say what to do with a NAR: tvix-store nar dump STORE-PATH");
}

export async function handler(): Promise<void> {}

async function dumpNar(options: NarArguments): Promise<void> {
  if (process.stdout.isTTY) {
    throw new UsageError("A NAR is not for a terminal: redirect stdout to a file or a program");
  }
  const reference = parseObjectArgument(options.path);
  await using services = await openServices(options, { create: false });
  const { node } = await findObject(reference, services);
  for await (const part of renderNar(node, services)) await writeOut(part);
}
