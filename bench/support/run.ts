/**
 * Programs that are measured or that prepare a measurement.
 */
import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";

// Where it is set, every start of Node reads that file, which takes longer than all the rest of starting.
delete process.env["NODE_EXTRA_CA_CERTS"];

/** The repository; this file runs from bench/build/support/. */
const root = new URL("../../../", import.meta.url);

export const CLI = fileURLToPath(new URL("dist/cli/main.js", root));

/** Where in the repository `path` is, however the program was started. */
export function inRepository(path: string): string {
  return fileURLToPath(new URL(path, root));
}

const TIMEOUT_MS = 300_000;

/** Runs a program to its end; what it printed. Throws with its own words when it fails. */
export function run(
  program: string,
  args: readonly string[],
  environment: Readonly<Record<string, string>> = {},
): string {
  const { status, signal, stdout, stderr, error } = spawnSync(program, args, {
    env: { ...process.env, ...environment },
    encoding: "utf8",
    timeout: TIMEOUT_MS,
    maxBuffer: 2 ** 26,
  });
  if (error !== undefined) throw error;
  if (status === 0) return stdout;
  throw new Error(`${program} ${args.join(" ")} gave ${status ?? signal}: ${stderr}`);
}
