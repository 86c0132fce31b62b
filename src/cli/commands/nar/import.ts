import type { Argv } from "yargs";
import { prepareForBulk } from "../../../base/bulk-memory.js";
import { isStoreError } from "../../../base/errors.js";
import { importNar } from "../../../store/import/import-nar.js";
import { validateStorePathName } from "../../../store/store-path.js";
import { readStdin } from "../../input.js";
import { interruptible } from "../../interruption.js";
import { createLogger, type LogArguments } from "../../logger.js";
import { narReaderOptions } from "../../nar-options.js";
import { JSON_OPTION, STORE_OPTIONS, withEnvironment } from "../../options.js";
import { printJson, printLine } from "../../output.js";
import { pathInfoJson } from "../../path-info-text.js";
import { openServices, type StoreArguments } from "../../services.js";
import { UsageError } from "../../usage-error.js";

interface ImportArguments extends StoreArguments, LogArguments {
  readonly name: string;
  readonly json: boolean;
}

export function builder(yargs: Argv): Argv {
  return yargs
    .options(
      withEnvironment({
        ...STORE_OPTIONS,
        ...JSON_OPTION,
        name: {
          describe: "Name of the store path: a NAR has none",
          type: "string",
          default: "source",
          requiresArg: true,
        },
      }),
    )
    .example("$0 nar import --name hello < hello.nar", "prints /nix/store/<hash>-hello")
    .example("nix-store --dump ./tree | $0 nar import --name tree", "as import ./tree");
}

export async function handler(options: ImportArguments): Promise<void> {
  checkName(options.name);
  const source = readStdin("A NAR");
  const log = createLogger(options);
  prepareForBulk();
  await using services = await openServices(options, { create: true });
  const pathInfo = await interruptible((signal) =>
    importNar(source, options.name, services, { ...narReaderOptions(log), signal }),
  );
  if (options.json) await printJson([pathInfoJson(pathInfo)]);
  else await printLine(pathInfo.storePath.toString());
}

function checkName(name: string): void {
  try {
    validateStorePathName(name);
  } catch (error) {
    throw isStoreError(error) ? new UsageError(error.message) : error;
  }
}
