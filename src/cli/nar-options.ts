import type { Logger } from "../base/log.js";
import { type NarReaderOptions, NIX_DEPTH_MAX } from "../store/nar/grammar.js";

/** How commands read NARs: within the default limits, and saying what Nix would not take. */
export function narReaderOptions(log: Logger): NarReaderOptions {
  return {
    onDeep: () =>
      log.warn(
        {},
        `the NAR has more than ${NIX_DEPTH_MAX} folders inside each other: current Nix refuses it`,
      ),
  };
}
