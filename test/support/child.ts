/**
 * Programs run beside the test process, each with an end: what hangs is killed.
 */
import { spawn } from "node:child_process";
import { PYTHON } from "./python.js";

export interface Outcome {
  /** `null` when a signal ended it. */
  readonly status: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly output: Buffer;
  /** The output as text. */
  readonly stdout: string;
  readonly stderr: string;
}

export interface RunOptions {
  readonly env?: Readonly<Record<string, string | undefined>>;
  readonly cwd?: string;
  readonly timeoutMs?: number;
  /** What it finds on stdin; nothing without. */
  readonly input?: Uint8Array | string;
}

/** Far beyond what anything takes on a busy machine: a backstop, not a measurement. */
const TIMEOUT_MS = 600_000;

/** Runs `program` to its end. */
export function runProgram(
  program: string,
  args: readonly string[],
  { env = process.env, cwd, timeoutMs = TIMEOUT_MS, input }: RunOptions = {},
): Promise<Outcome> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, {
      env,
      ...(cwd === undefined ? {} : { cwd }),
      stdio: ["pipe", "pipe", "pipe"],
    });
    // A program that does not read it all closes the pipe.
    child.stdin.on("error", () => {});
    child.stdin.end(input);
    const stdout: Buffer[] = [];
    const stderr: Buffer[] = [];
    child.stdout.on("data", (chunk: Buffer) => stdout.push(chunk));
    child.stderr.on("data", (chunk: Buffer) => stderr.push(chunk));
    const timer = setTimeout(() => child.kill("SIGKILL"), timeoutMs);
    child.on("error", reject);
    child.on("close", (status, signal) => {
      clearTimeout(timer);
      const output = Buffer.concat(stdout);
      resolve({
        status,
        signal,
        output,
        stdout: String(output),
        stderr: String(Buffer.concat(stderr)),
      });
    });
  });
}

/** What `program` prints; throws with what it said when it fails. */
export async function outputOf(program: string, ...args: string[]): Promise<string> {
  const { status, stdout, stderr } = await runProgram(program, args);
  if (status !== 0) throw new Error(`${program} ${args.join(" ")} gave ${status}: ${stderr}`);
  return stdout;
}

/** Runs a Python script; `args` are in sys.argv. What it prints; throws with its traceback. */
export function python(script: string, ...args: string[]): Promise<string> {
  return outputOf(PYTHON, "-c", script, ...args);
}
