import { resolve } from "node:path";
import type { Argv } from "yargs";
import { restoreNar } from "../../../store/nar/restore.js";
import { readStdin } from "../../input.js";
import { interruptible } from "../../interruption.js";
import { createLogger, type LogArguments } from "../../logger.js";
import { narReaderOptions } from "../../nar-options.js";
import { startRestoreHelper } from "../../restore-threads.js";

interface RestoreArguments extends LogArguments {
  readonly dest: string;
}

export function builder(yargs: Argv): Argv {
  return yargs
    .positional("dest", {
      describe: "Where to: a path that does not exist",
      type: "string",
      demandOption: true,
    })
    .example("$0 nar restore ./tree < tree.nar", "unpacks; ./tree must not exist")
    .example("$0 nar dump <hash> | $0 nar restore ./copy", "a copy out of the store")
    .epilogue("When it fails, or is ended with Ctrl-C, nothing is left at DEST.");
}

export async function handler(options: RestoreArguments): Promise<void> {
  const source = readStdin("A NAR", { transient: true });
  const log = createLogger(options);
  await interruptible((signal) =>
    restoreNar(source, Buffer.from(resolve(options.dest)), {
      ...narReaderOptions(log),
      signal,
      help: startRestoreHelper,
    }),
  );
}
