import type { Argv } from "yargs";
import { StopSignals } from "../../fuse/stop-signals.js";
import { type ListenAddress, parseListenAddress } from "../../grpc/listen-address.js";
import { HTTP_OPTIONS, type HttpArguments } from "../http-options.js";
import { inheritedSockets } from "../inherited-sockets.js";
import { createLogger, type LogArguments } from "../logger.js";
import { STORE_OPTIONS, withEnvironment } from "../options.js";
import { openServices, type StoreArguments } from "../services.js";
import { startServing } from "../serving.js";
import {
  CREDENTIALS_NOTE,
  LISTEN_ADDRESS_FORMS,
  readListenAddresses,
  SERVING_OPTIONS,
  type ServingArguments,
} from "../serving-options.js";

interface DaemonArguments extends StoreArguments, LogArguments, ServingArguments, HttpArguments {
  readonly listenAddress?: readonly ListenAddress[];
}

const DEFAULT_ADDRESS = "localhost:8000";

export function builder(yargs: Argv): Argv {
  return yargs
    .options(
      withEnvironment({
        ...STORE_OPTIONS,
        "listen-address": {
          alias: ["l", "listen"],
          describe: LISTEN_ADDRESS_FORMS,
          type: "string",
          array: true,
          defaultDescription: `${DEFAULT_ADDRESS}, or systemd's sockets`,
          requiresArg: true,
          coerce: readListenAddresses,
        },
        ...SERVING_OPTIONS,
        ...HTTP_OPTIONS,
      }),
    )
    .example("$0 daemon", "on port 8000, for this machine only")
    .example("$0 daemon -l unix:/run/tvix-store.sock?mode=660", "for who may open the socket")
    .example(
      "$0 daemon -l [::]:8000 --tls-cert cert.pem --tls-key key.pem --tokens tokens",
      "for other machines",
    )
    .example("$0 daemon --http localhost:8080 --allow-upload", "a binary cache, too")
    .epilogue(CREDENTIALS_NOTE);
}

export async function handler(options: DaemonArguments): Promise<void> {
  const log = createLogger(options);
  const stop = new StopSignals();
  try {
    await using services = await openServices(options, { create: true });
    const serving = await startServing(options, addressesOf(options), services, log);
    await stop.wait(1);
    // A second signal does not wait for anyone.
    const drained = serving.stop(options.drainSeconds * 1000);
    await Promise.race([drained, stop.wait(2).then(() => serving.stop(0))]);
  } finally {
    stop.close();
  }
}

function addressesOf({ listenAddress = [] }: DaemonArguments): readonly ListenAddress[] {
  const addresses = [...inheritedSockets(process.env, process.pid), ...listenAddress];
  return addresses.length > 0 ? addresses : [parseListenAddress(DEFAULT_ADDRESS)];
}
