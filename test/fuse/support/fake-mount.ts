/**
 * A child process that serves a file system in memory, and other children that look at it. The test
 * process never touches a mount itself. The build must have run: children load modules from build/.
 */
import { type ChildProcess, execFile, execFileSync, spawn } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { EngineName } from "../../../src/fuse/engine.js";
import type { EarlyLimits } from "../../../src/fuse/kernel/early-server.js";
import { inspectMachine, mountObstacles } from "../../../src/fuse/preflight.js";
import { PYTHON } from "../../support/python.js";

/** Why kernel tests cannot run here, or `undefined`. */
export const kernelTestsObstacle: string | undefined =
  mountObstacles(inspectMachine(), { allowOther: true })[0]?.message ??
  (existsSync(new URL("../../../build/fuse/session.js", import.meta.url))
    ? undefined
    : "build/ is missing: run npm run build first");

export interface FakeOptions {
  /** fuse-native unless told. */
  readonly engine?: EngineName;
  /** Of the kernel engine; 2 unless told. */
  readonly threads?: number;
  /** When they start; as always unless told. */
  readonly earlyLimits?: EarlyLimits;
  readonly listRoot?: boolean;
  readonly create?: boolean;
}

/** By whom a mount of the kernel engine is served; the main thread serves until the first thread is ready. */
export const SERVED_BY: Readonly<Record<"main thread" | "threads", EarlyLimits>> = {
  "main thread": { requests: Number.MAX_SAFE_INTEGER, ms: 3_600_000 },
  threads: { requests: 0, ms: 3_600_000 },
};

export interface Output {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

const SERVER = fileURLToPath(new URL("serve-fake.mjs", import.meta.url));
const WAIT_MS = 20_000;

/** A new empty folder for a mount. */
export function newMountPoint(): string {
  return mkdtempSync(join(tmpdir(), "tvix-store-mount-"));
}

/** Runs a program; it is killed after some seconds. */
export function run(program: string, ...args: string[]): Promise<Output> {
  return new Promise((resolve) => {
    const options = { timeout: WAIT_MS, killSignal: "SIGKILL", maxBuffer: 2 ** 26 } as const;
    const child = execFile(program, args, options, (_error, stdout, stderr) => {
      resolve({ status: child.exitCode, stdout, stderr });
    });
  });
}

/** Runs a Python script; `args` are in sys.argv. */
export function python(script: string, ...args: string[]): Promise<Output> {
  return run(PYTHON, "-c", script, ...args);
}

/** Whether something is mounted at `path`, by the mount table. */
export function isMountPoint(path: string): boolean {
  return readFileSync("/proc/self/mountinfo", "utf8").includes(` ${path} `);
}

/** Detaches all that is mounted at `path`; the watcher of a killed server may do the same meanwhile. */
export function removeMounts(path: string): void {
  for (let round = 0; round < 8 && isMountPoint(path); round++) {
    try {
      execFileSync("umount", ["-l", path], { stdio: "ignore" });
    } catch (error) {
      if (isMountPoint(path)) throw error;
    }
  }
}

/** Kills a server and what it has started to clear up behind it, so that its mount stays, dead. */
export async function killForGood(server: ChildProcess): Promise<void> {
  // It starts that a moment after it has mounted.
  server.kill("SIGSTOP");
  for (const child of childrenOf(server)) process.kill(child, "SIGKILL");
  server.kill("SIGKILL");
  await until(() => server.exitCode !== null || server.signalCode !== null);
}

/** What a process has started that still runs. */
export function childrenOf({ pid }: ChildProcess): number[] {
  return readdirSync("/proc")
    .filter((name) => parentOf(name) === pid)
    .map(Number);
}

function parentOf(pid: string): number | undefined {
  if (!/^\d+$/.test(pid)) return undefined;
  try {
    const status = readFileSync(`/proc/${pid}/status`, "utf8");
    return Number(/^PPid:\s+(\d+)$/m.exec(status)?.[1]);
  } catch {
    // It has ended meanwhile.
    return undefined;
  }
}

/** Waits until `condition` holds. */
export async function until(condition: () => boolean, timeoutMs = WAIT_MS): Promise<void> {
  const deadline = performance.now() + timeoutMs;
  while (!condition()) {
    if (performance.now() > deadline) throw new Error(`Waited ${timeoutMs} ms for ${condition}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

export class FakeMount {
  readonly mountPoint: string;
  readonly process: ChildProcess;
  output = "";

  private constructor(mountPoint: string, options: FakeOptions) {
    this.mountPoint = mountPoint;
    this.process = spawn(process.execPath, [SERVER, mountPoint, JSON.stringify(options)], {
      stdio: ["pipe", "pipe", "pipe"],
    });
    for (const stream of [this.process.stdout, this.process.stderr]) {
      stream?.on("data", (chunk: Buffer) => {
        this.output += chunk.toString();
      });
    }
  }

  /** Starts serving and waits until the mount is usable. */
  static async start(mountPoint: string, options: FakeOptions = {}): Promise<FakeMount> {
    const mount = FakeMount.spawn(mountPoint, options);
    try {
      await until(() => mount.output.includes("mounted ") || mount.hasExited);
      if (mount.hasExited) throw new Error(mount.output);
      return mount;
    } catch (error) {
      mount.discard();
      throw error;
    }
  }

  /** Starts the server and does not wait for it. */
  static spawn(mountPoint: string, options: FakeOptions = {}): FakeMount {
    return new FakeMount(mountPoint, options);
  }

  get hasExited(): boolean {
    return this.process.exitCode !== null || this.process.signalCode !== null;
  }

  /** Waits for the server to end; its exit status. */
  async exited(): Promise<number | null> {
    await until(() => this.hasExited);
    return this.process.exitCode;
  }

  /** Waits until threads serve it, and the main thread does so no more. */
  async untilThreadsServe(): Promise<void> {
    await until(() => this.output.includes("a thread serves\n"));
    // The main thread still takes the request that it waits for, which is one of the next.
    const names = Array.from({ length: 50 }, (_, index) => this.path(`nothing-${index}`));
    await run("ls", ...names);
  }

  /** Sends a line to the server, see serve-fake.mjs. */
  tell(line: string): void {
    this.process.stdin?.write(`${line}\n`);
  }

  path(...names: string[]): string {
    return join(this.mountPoint, ...names);
  }

  /** Ends the server whatever state it is in, and leaves no mount and no folder behind. */
  discard(): void {
    this.process.kill("SIGKILL");
    removeMounts(this.mountPoint);
    rmSync(this.mountPoint, { recursive: true, force: true });
  }
}
