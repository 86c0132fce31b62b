import { status } from "@grpc/grpc-js";
import type { Argv } from "yargs";
import { isStoreError } from "../../base/errors.js";
import { StopSignals } from "../../fuse/stop-signals.js";
import { isPublic, type ListenAddress, parseListenAddress } from "../../grpc/listen-address.js";
import { GrpcServer } from "../../grpc/server.js";
import { createLogger, type LogArguments } from "../logger.js";
import { STORE_OPTIONS, withEnvironment } from "../options.js";
import { openServices, type StoreArguments } from "../services.js";
import { UsageError } from "../usage-error.js";

interface DaemonArguments extends StoreArguments, LogArguments {
  readonly listenAddress: readonly ListenAddress[];
  readonly allowIncomplete: boolean;
  readonly drainSeconds: number;
}

export function builder(yargs: Argv): Argv {
  return yargs
    .options(
      withEnvironment({
        ...STORE_OPTIONS,
        "listen-address": {
          alias: "l",
          describe: "HOST:PORT, [IPV6]:PORT or unix:/path[?mode=660]; may be given several times",
          type: "string",
          array: true,
          default: ["localhost:8000"],
          requiresArg: true,
          coerce: readAddresses,
        },
        "allow-incomplete": {
          describe: "Take path infos whose content is not in the store",
          type: "boolean",
          default: false,
        },
        "drain-seconds": {
          describe: "How long calls under way may take to end after SIGTERM or Ctrl-C",
          type: "number",
          default: 30,
          coerce: checkSeconds,
        },
      }),
    )
    .example("$0 daemon", "on port 8000, for this machine only")
    .example("$0 daemon -l unix:/run/tvix-store.sock?mode=660", "for who may open the socket");
}

export async function handler(options: DaemonArguments): Promise<void> {
  const log = createLogger(options);
  const stop = new StopSignals();
  try {
    await using services = await openServices(options, { create: true });
    const server = new GrpcServer({
      services,
      log,
      allowIncomplete: options.allowIncomplete,
      onCall: ({ method, peer, code, durationMs }) =>
        log.debug({ method, peer, status: status[code], durationMs }, "call"),
    });
    try {
      for (const address of options.listenAddress) {
        if (isPublic(address)) log.warn({}, "serving to other machines, unencrypted and to anyone");
        for (const place of await server.listen(address)) {
          process.stderr.write(`listening on ${place}\n`);
        }
      }
      await stop.wait(1);
    } finally {
      // A second signal does not wait for anyone.
      const drained = server.stop(options.drainSeconds * 1000);
      await Promise.race([drained, stop.wait(2).then(() => server.stop(0))]);
    }
  } finally {
    stop.close();
  }
}

function checkSeconds(seconds: number): number {
  if (seconds >= 0 && seconds < Number.POSITIVE_INFINITY) return seconds;
  throw new UsageError("--drain-seconds must be a number from 0 on");
}

/** Of an environment variable, separated by spaces. */
function readAddresses(given: string | readonly string[]): ListenAddress[] {
  const texts = [given].flat().flatMap((text) => text.split(" ").filter((word) => word !== ""));
  if (texts.length === 0) throw new UsageError("--listen-address is empty");
  try {
    return texts.map(parseListenAddress);
  } catch (error) {
    throw isStoreError(error) ? new UsageError(error.message) : error;
  }
}
