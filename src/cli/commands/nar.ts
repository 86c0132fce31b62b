import type { Argv } from "yargs";
import { EXIT_CODES } from "../options.js";

const COMMANDS = [
  [
    "dump <path>",
    "Write what a store path holds to stdout as a NAR",
    () => import("./nar/dump.js"),
  ],
  ["restore <dest>", "Unpack the NAR on stdin to DEST", () => import("./nar/restore.js")],
  [
    "import",
    "Store the tree of the NAR on stdin, print its store path",
    () => import("./nar/import.js"),
  ],
  ["ls <file>", "List what is in a NAR", () => import("./nar/ls.js")],
] as const;

export function builder(yargs: Argv): Argv {
  for (const [usage, summary, load] of COMMANDS) {
    yargs.command(
      usage,
      summary,
      async (inner: Argv) => (await load()).builder(inner).epilogue(EXIT_CODES) as Argv<object>,
      // Yargs has checked the options against the builder.
      async (options) => (await load()).handler(options as never),
    );
  }
  return yargs
    .example("$0 nar dump <hash> | sha256sum", "the NAR hash, in hex")
    .example("$0 nar restore ./tree < tree.nar", "unpacks")
    .demandCommand(1, "Say what to do with a NAR: tvix-store nar dump|restore|import|ls");
}

export async function handler(): Promise<void> {}
