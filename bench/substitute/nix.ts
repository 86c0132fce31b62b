/**
 * The real Nix on a store in a folder of its own: offline, without a daemon, without touching /nix.
 */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { run } from "../support/run.js";

export class Nix {
  /** Where `/nix/store` is. */
  readonly storeFolder: string;
  readonly #environment: Readonly<Record<string, string>>;

  /** @param trustedKey whose signatures are needed */
  constructor(folder: string, trustedKey?: string) {
    const [etc, home, root] = ["etc", "home", "root"].map((name) => join(folder, name)) as [
      string,
      string,
      string,
    ];
    for (const each of [etc, home, root]) mkdirSync(each, { recursive: true });
    writeFileSync(
      join(etc, "nix.conf"),
      `build-users-group =
substituters =
experimental-features = nix-command
sandbox = true
sandbox-paths = /bin /usr /lib /lib64
require-sigs = true
trusted-public-keys = ${trustedKey ?? ""}
`,
    );
    this.storeFolder = join(root, "nix", "store");
    this.#environment = {
      NIX_REMOTE: `local?root=${root}`,
      NIX_CONF_DIR: etc,
      NIX_USER_CONF_FILES: join(etc, "none"),
      NIX_PATH: "",
      HOME: home,
      XDG_CACHE_HOME: join(home, ".cache"),
      LC_ALL: "C.UTF-8",
    };
  }

  run(program: "nix" | "nix-store" | "nix-instantiate", ...args: string[]): string {
    return run(program, args, this.#environment);
  }
}
