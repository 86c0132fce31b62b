/**
 * A command that serves gRPC, as a child process with whatever options.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { until } from "../fuse/support/fake-mount.js";
import { CLI, type TestStore } from "./cli.js";

export interface ServerStart {
  readonly environment?: Readonly<Record<string, string>>;
  /** What runs it, `node main.js …` being its last arguments; Node itself unless told. */
  readonly through?: readonly string[];
}

export class CliServer implements Disposable {
  readonly process: ChildProcess;
  stderr = "";

  private constructor(store: TestStore, args: readonly string[], start: ServerStart) {
    const [program = "", ...words] = [...(start.through ?? []), process.execPath, CLI, ...args];
    this.process = spawn(program, words, {
      env: { ...store.environment, ...start.environment },
      stdio: ["ignore", "ignore", "pipe"],
    });
    this.process.stderr?.on("data", (chunk: Buffer) => {
      this.stderr += chunk;
    });
  }

  /** Starts it and waits until it says that it is `ready`. */
  static async start(
    store: TestStore,
    args: readonly string[],
    start: ServerStart = {},
    ready = "listening on",
  ): Promise<CliServer> {
    const server = new CliServer(store, args, start);
    await until(() => server.stderr.includes(ready) || server.hasExited);
    if (!server.hasExited) return server;
    throw new Error(`The server ended with ${server.process.exitCode}: ${server.stderr}`);
  }

  get hasExited(): boolean {
    return this.process.exitCode !== null || this.process.signalCode !== null;
  }

  /** Where it says it listens, serves HTTP, or gives its metrics. */
  places(what: "listening" | "http" | "metrics" = "listening"): string[] {
    return [...this.stderr.matchAll(new RegExp(`^${what} on (\\S+)$`, "gm"))].map(
      ([, place]) => place as string,
    );
  }

  /** The port of the first place. */
  get port(): number {
    return Number(this.places()[0]?.split(":").at(-1));
  }

  /** The lines of its log, where that is JSON. */
  get log(): Record<string, unknown>[] {
    return this.stderr
      .split("\n")
      .filter((line) => line.startsWith("{"))
      .map((line) => JSON.parse(line) as Record<string, unknown>);
  }

  /** Asks it to end; its exit code. */
  async stop(signal: NodeJS.Signals = "SIGTERM"): Promise<number | null> {
    this.process.kill(signal);
    await until(() => this.hasExited);
    return this.process.exitCode;
  }

  [Symbol.dispose](): void {
    this.process.kill("SIGKILL");
  }
}
