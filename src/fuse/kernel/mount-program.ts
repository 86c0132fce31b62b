/**
 * Runs the programs that mount. They take a descriptor of ours as their fourth, number 3: the device to
 * mount, or the socket to send one over.
 */
import { spawn } from "node:child_process";
import { errnoOf, StoreError } from "../../base/errors.js";

/** The number under which the program finds the descriptor. */
export const INHERITED = 3;

/** Long enough for a busy machine, short enough for someone who waits. */
const TIMEOUT_MS = 5000;

export interface MountProgram {
  /** Found through PATH. */
  readonly program: string;
  /** The last one is the mount point. */
  readonly args: readonly string[];
  /** Stays open here. */
  readonly descriptor: number;
  readonly environment?: NodeJS.ProcessEnv;
}

/**
 * Runs `program` and waits for it to succeed. `false` when there is no such program.
 *
 * @throws {StoreError} `unavailable` with the program's own words when it fails or does not end.
 */
export function runMountProgram(options: MountProgram): Promise<boolean> {
  const { program, args, descriptor, environment } = options;
  return new Promise((resolve, reject) => {
    const refuse = (why: string): void =>
      reject(new StoreError("unavailable", `Cannot mount at ${args.at(-1)}: ${why}`));
    const child = spawn(program, args, {
      // In a session of its own: Ctrl-C is for us, it must not end a mount half way.
      detached: true,
      // A source without a slash is a path where a file is called that; here none is.
      cwd: "/proc",
      stdio: ["ignore", "ignore", "pipe", descriptor],
      env: { ...process.env, ...environment, LC_ALL: "C" },
    });
    let words = "";
    child.stderr?.on("data", (chunk: Buffer) => {
      words += chunk;
    });
    const timer = setTimeout(() => {
      child.kill("SIGKILL");
      // It may sit in the kernel for ever; we must be able to end without it.
      child.unref();
      child.stderr?.destroy();
      refuse(`${program} does not end`);
    }, TIMEOUT_MS);
    child.on("error", (error) => {
      clearTimeout(timer);
      if (errnoOf(error) === "ENOENT") resolve(false);
      else refuse(`${program} does not start: ${error.message}`);
    });
    child.on("close", (status) => {
      clearTimeout(timer);
      if (status === 0) resolve(true);
      else refuse(words.trim() || `${program} failed with status ${status}`);
    });
  });
}
