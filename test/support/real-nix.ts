/**
 * The real Nix on a store in a folder of its own: offline, without a daemon, without touching /nix.
 */
import { execFileSync } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type Outcome, runProgram } from "./child.js";
import { cleanEnvironment } from "./cli.js";
import { temporaryFolder } from "./temp.js";

/** Why there is no real Nix to compare with, or `undefined`. */
export const nixObstacle: string | undefined = obstacle();

const CONFIGURATION = `
build-users-group =
substituters =
experimental-features = nix-command ca-derivations
`;

export class RealNix {
  readonly #environment: Record<string, string | undefined>;

  constructor(folder = temporaryFolder()) {
    for (const name of ["etc", "home", "root"]) mkdirSync(join(folder, name));
    writeFileSync(join(folder, "etc", "nix.conf"), CONFIGURATION);
    this.#environment = {
      ...cleanEnvironment(),
      NIX_REMOTE: `local?root=${join(folder, "root")}`,
      NIX_CONF_DIR: join(folder, "etc"),
      NIX_USER_CONF_FILES: join(folder, "etc", "none"),
      NIX_PATH: undefined,
      NIX_STORE_DIR: undefined,
      NIX_STATE_DIR: undefined,
      HOME: join(folder, "home"),
      XDG_CACHE_HOME: join(folder, "home", ".cache"),
    };
  }

  /** Adds `path`, named after its last part, as content-addressed; the store path. */
  async add(path: string): Promise<string> {
    return (await this.output("nix-store", "--add", path)).trimEnd();
  }

  /** The NAR of something on disk. */
  async dump(path: string): Promise<Buffer> {
    return (await this.#run("nix-store", ["--dump", path])).output;
  }

  /** Unpacks a NAR to `path`. */
  async restore(nar: Uint8Array, path: string): Promise<void> {
    execFileSync("nix-store", ["--restore", path], { input: nar, env: this.#environment });
  }

  /** What a command prints; throws with what it said when it fails. */
  async output(program: "nix" | "nix-store" | "nix-hash", ...args: string[]): Promise<string> {
    return (await this.#run(program, args)).stdout;
  }

  async #run(program: string, args: readonly string[]): Promise<Outcome> {
    const outcome = await runProgram(program, args, { env: this.#environment });
    if (outcome.status === 0) return outcome;
    throw new Error(`${program} ${args.join(" ")} gave ${outcome.status}: ${outcome.stderr}`);
  }
}

function obstacle(): string | undefined {
  try {
    // Not nix-store --version: that makes /nix.
    execFileSync("nix", ["--version"], { stdio: "ignore" });
    return undefined;
  } catch {
    return "there is no Nix on PATH to compare with";
  }
}
