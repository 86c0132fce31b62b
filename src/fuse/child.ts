/**
 * Runs small system programs that touch mounts. A mount whose server hangs takes every caller with it,
 * beyond the reach of SIGKILL, so such calls are made by a child that can be left behind.
 */
import { type ChildProcessByStdio, spawn } from "node:child_process";
import type { Readable } from "node:stream";
import { errnoOf } from "../base/errors.js";

export type ChildOutcome =
  | {
      readonly type: "exited";
      readonly status: number;
      readonly stdout: string;
      readonly stderr: string;
    }
  /** There is no such program. */
  | { readonly type: "missing" }
  /** It did not end in time. It was killed, which may not free it. */
  | { readonly type: "timeout" };

/** Long enough for a busy machine, short enough for someone who waits. */
const TIMEOUT_MS = 5000;

/** The number under which a child finds the descriptor it is given. */
export const INHERITED = 3;

export interface ChildOptions {
  /** Given to the child as {@link INHERITED}; stays open here. */
  readonly descriptor?: number;
  readonly environment?: NodeJS.ProcessEnv;
}

/**
 * Runs `program`, found through PATH, with messages in English and no input, in a folder where no relative
 * path leads anywhere.
 */
export function runChild(
  program: string,
  args: readonly string[],
  { descriptor, environment }: ChildOptions = {},
): Promise<ChildOutcome> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, {
      // In a session of its own: Ctrl-C is for us, it must not end an unmount half way.
      detached: true,
      cwd: "/proc",
      stdio: ["ignore", "pipe", "pipe", ...(descriptor === undefined ? [] : [descriptor])],
      env: { ...process.env, ...environment, LC_ALL: "C", NODE_OPTIONS: undefined },
    }) as ChildProcessByStdio<null, Readable, Readable>;
    const stdout: Buffer[] = [];
    const stderr: Buffer[] = [];
    child.stdout.on("data", (chunk: Buffer) => stdout.push(chunk));
    child.stderr.on("data", (chunk: Buffer) => stderr.push(chunk));
    const timer = setTimeout(() => {
      child.kill("SIGKILL");
      // It may sit in the kernel for ever; we must be able to end without it.
      child.unref();
      child.stdout.destroy();
      child.stderr.destroy();
      resolve({ type: "timeout" });
    }, TIMEOUT_MS);
    child.on("error", (error) => {
      clearTimeout(timer);
      if (errnoOf(error) === "ENOENT") resolve({ type: "missing" });
      else reject(error);
    });
    child.on("close", (status) => {
      clearTimeout(timer);
      // Ended by a signal: as a shell reports it, without telling which.
      resolve({
        type: "exited",
        status: status ?? 128,
        stdout: text(stdout),
        stderr: text(stderr),
      });
    });
  });
}

function text(chunks: readonly Buffer[]): string {
  return Buffer.concat(chunks).toString().trim();
}
