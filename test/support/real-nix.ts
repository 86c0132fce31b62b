/**
 * The real Nix on a store in a folder of its own: offline, without a daemon, without touching /nix.
 */
import { execFileSync } from "node:child_process";
import { mkdirSync, symlinkSync, writeFileSync } from "node:fs";
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
sandbox = true
sandbox-paths = /bin /usr /lib /lib64
`;

/** `nix path-info --json` of one path. */
export interface NixPathInfo {
  readonly path: string;
  readonly narHash: string;
  readonly narSize: number;
  readonly references: readonly string[];
  readonly ca?: string;
  readonly signatures?: readonly string[];
}

export class RealNix {
  readonly #environment: Record<string, string | undefined>;
  /** What makes the store. Others that find it half made fail, and say that its database is busy. */
  #first: Promise<Outcome> | undefined;

  /** @param configuration lines of nix.conf beside the usual ones */
  constructor(configuration = "", folder = temporaryFolder()) {
    for (const name of ["etc", "home"]) mkdirSync(join(folder, name));
    const state = join(folder, "root", "nix", "var", "nix");
    for (const name of ["profiles", "gcroots"]) mkdirSync(join(state, name), { recursive: true });
    // Two that find a new store at once would both make it, and one of them fail.
    symlinkSync(join(state, "profiles"), join(state, "gcroots", "profiles"));
    writeFileSync(join(folder, "etc", "nix.conf"), `${CONFIGURATION}${configuration}\n`);
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

  /** The store path of `builtins.toFile`, which refers to the store paths that `text` is made with. */
  async addText(name: string, text: string, ...references: string[]): Promise<string> {
    const paths = references.map((path) => `"\${builtins.storePath ${path}}"`).join(" + ");
    const content = [JSON.stringify(text), ...(paths === "" ? [] : [paths])].join(" + ");
    return await this.output(
      "nix",
      "eval",
      "--impure",
      "--raw",
      "--expr",
      `builtins.toFile "${name}" (${content})`,
    );
  }

  /** What it knows about paths in its store, all of them when none is given. */
  async pathInfos(...paths: string[]): Promise<NixPathInfo[]> {
    const what = paths.length === 0 ? ["--all"] : paths;
    return JSON.parse(await this.output("nix", "path-info", "--json", ...what)) as NixPathInfo[];
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
  async output(
    program: "nix" | "nix-store" | "nix-hash" | "nix-instantiate",
    ...args: string[]
  ): Promise<string> {
    return (await this.#run(program, args)).stdout;
  }

  async #run(program: string, args: readonly string[]): Promise<Outcome> {
    const start = () => runProgram(program, args, { env: this.#environment });
    const running = this.#first === undefined ? start() : this.#first.then(start, start);
    this.#first ??= running;
    const outcome = await running;
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
