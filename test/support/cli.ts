/**
 * The command line as users run it: the build in dist/, as a child process on a store of its own.
 */
import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { type Outcome, type RunOptions, runProgram } from "./child.js";
import { temporaryFolder } from "./temp.js";

export const CLI = fileURLToPath(new URL("../../dist/cli/main.js", import.meta.url));

if (!existsSync(CLI)) throw new Error("dist/ is missing: run npm run build first");

/** The environment of this process, without anything that would reach into a test. */
export function cleanEnvironment(
  extra: Readonly<Record<string, string | undefined>> = {},
): Record<string, string | undefined> {
  const kept = Object.entries(process.env).filter(
    ([name]) => !/^TVIX_|_SERVICE_ADDR$|^XDG_|^NODE_|^VITEST/.test(name),
  );
  return { ...Object.fromEntries(kept), LC_ALL: "C.UTF-8", ...extra };
}

/** `path-info --json` of one path, as far as tests look at it. */
export interface ListedPath {
  readonly path: string;
  readonly narHash: string;
  readonly narSize: number;
}

export class TestStore {
  #folder: string | undefined;

  constructor(folder?: string) {
    this.#folder = folder;
  }

  /** One of its own, unless told, from when it is needed: nobody tidies up after tests that are skipped. */
  get folder(): string {
    this.#folder ??= join(temporaryFolder(), "store");
    return this.#folder;
  }

  get environment(): Record<string, string | undefined> {
    return cleanEnvironment({ TVIX_STORE_DIR: this.folder });
  }

  /** Runs `tvix-store args…` to its end. */
  run(args: readonly string[], options: RunOptions = {}): Promise<Outcome> {
    return runProgram(process.execPath, [CLI, ...args], {
      ...options,
      env: { ...this.environment, ...options.env },
    });
  }

  /** As {@link run} for a command that must succeed and say nothing on stderr; what it prints. */
  async output(...args: string[]): Promise<string> {
    return (await this.succeed(args)).stdout;
  }

  /** Imports `path`; the store path. */
  async import(path: string, ...options: string[]): Promise<string> {
    return (await this.output("import", ...options, path)).trimEnd();
  }

  async list(): Promise<ListedPath[]> {
    return JSON.parse(await this.output("path-info", "--all", "--json")) as ListedPath[];
  }

  async narDump(path: string): Promise<Buffer> {
    return (await this.succeed(["nar", "dump", path])).output;
  }

  /** Reads everything that is listed back and compares it with its NAR hash; the paths. */
  async readBack(): Promise<string[]> {
    const listed = await this.list();
    for (const { path, narHash, narSize } of listed) {
      const nar = await this.narDump(path);
      const found = sriOf(nar);
      if (found === narHash && nar.length === narSize) continue;
      throw new Error(`${path} is listed as ${narHash}, ${narSize} bytes; it reads as ${found}`);
    }
    return listed.map(({ path }) => path);
  }

  async succeed(args: readonly string[]): Promise<Outcome> {
    const outcome = await this.run(args);
    if (outcome.status === 0 && outcome.stderr === "") return outcome;
    const { status, signal, stderr } = outcome;
    throw new Error(`tvix-store ${args.join(" ")} gave ${status ?? signal}: ${stderr}`);
  }
}

/** `sha256-<base64>` */
export function sriOf(content: Uint8Array): string {
  return `sha256-${createHash("sha256").update(content).digest("base64")}`;
}
