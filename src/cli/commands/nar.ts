import type { Argv } from "yargs";
import { EXIT_CODES } from "../options.js";
import * as dump from "./nar/dump.js";
import * as importing from "./nar/import.js";
import * as ls from "./nar/ls.js";
import * as restore from "./nar/restore.js";

const COMMANDS = [
  ["dump <path>", "Write what a store path holds to stdout as a NAR", dump],
  ["restore <dest>", "Unpack the NAR on stdin to DEST", restore],
  ["import", "Store the tree of the NAR on stdin, print its store path", importing],
  ["ls <file>", "List what is in a NAR", ls],
] as const;

export function builder(yargs: Argv): Argv {
  for (const [usage, summary, { builder, handler }] of COMMANDS) {
    yargs.command(
      usage,
      summary,
      (inner: Argv) => builder(inner).epilogue(EXIT_CODES) as Argv<object>,
      // Yargs has checked the options against the builder.
      (options) => handler(options as never),
    );
  }
  return yargs
    .example("$0 nar dump <hash> | sha256sum", "the NAR hash, in hex")
    .example("$0 nar restore ./tree < tree.nar", "unpacks")
    .demandCommand(1, "Say what to do with a NAR: tvix-store nar dump|restore|import|ls");
}

export async function handler(): Promise<void> {}
