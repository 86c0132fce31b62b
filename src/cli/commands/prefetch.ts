import type { Argv } from "yargs";
import { runAsBatch } from "../../base/run-as-batch.js";
import { interruptible } from "../interruption.js";
import { JSON_OPTION, STORE_OPTIONS, withEnvironment } from "../options.js";
import { printJson } from "../output.js";
import { planPrefetch, runPrefetch } from "../prefetch.js";
import { ProgressBar } from "../progress-bar.js";
import { openServices, type StoreArguments } from "../services.js";
import { parsePathArgument } from "../store-object.js";
import { UsageError } from "../usage-error.js";

interface PrefetchArguments extends StoreArguments {
  readonly paths: readonly string[];
  readonly dryRun: boolean;
  readonly json: boolean;
}

export function builder(yargs: Argv): Argv {
  return yargs
    .positional("paths", {
      describe: "STORE-PATH, whose closure is fetched",
      type: "string",
      array: true,
      demandOption: true,
    })
    .options(
      withEnvironment({
        ...STORE_OPTIONS,
        json: { ...JSON_OPTION.json, describe: "Print what was fetched as JSON" },
        "dry-run": {
          alias: "n",
          describe: "Say what would be fetched, and fetch nothing",
          type: "boolean",
          default: false,
        },
      }),
    )
    .example("$0 prefetch --substituter https://cache.nixos.org <hash>", "with all it refers to")
    .epilogue(
      "What was fetched stays when it is interrupted: the next run takes it up from there.",
    );
}

export async function handler(options: PrefetchArguments): Promise<void> {
  const references = options.paths.map(parsePathArgument);
  await using services = await openServices(options, { create: false });
  const { substitution } = services;
  if (substitution === undefined) throw new UsageError("Give a --substituter to fetch from");
  runAsBatch();
  await interruptible(async (signal) => {
    const plan = await planPrefetch(references, substitution, { signal });
    const total = { count: plan.missing.length, bytes: plan.downloadBytes };
    if (!options.dryRun) {
      const bar = new ProgressBar("fetching", "paths", total);
      const onProgress = bar.update.bind(bar);
      await runPrefetch(plan, substitution, onProgress, { signal }).finally(() => bar.stop());
    }
    if (options.json) {
      await printJson({
        fetched: plan.missing.map(({ narinfo }) => String(narinfo.storePath)),
        downloadBytes: plan.downloadBytes,
        present: plan.presentCount,
      });
    } else if (options.dryRun) {
      process.stderr.write(`${total.count} paths, ${total.bytes} bytes to fetch\n`);
    }
  });
}
