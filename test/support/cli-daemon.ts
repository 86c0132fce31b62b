/**
 * `tvix-store daemon` as a child process on a unix socket.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { join } from "node:path";
import { until } from "../fuse/support/fake-mount.js";
import { CLI, TestStore } from "./cli.js";
import { temporaryFolder } from "./temp.js";

export class CliDaemon implements Disposable {
  readonly store: TestStore;
  readonly address: string;
  readonly socket: string;
  #process: ChildProcess | undefined;
  /** Everything it has said, over all its lives. */
  stderr = "";

  constructor(store = new TestStore()) {
    this.store = store;
    this.socket = join(temporaryFolder(), "socket");
    this.address = `grpc+unix://${this.socket}`;
  }

  /** The options that make a command use it. */
  get options(): string[] {
    return addressOptions(this.address);
  }

  /** Starts it, or starts it again, and waits until it takes calls. */
  async start(...options: string[]): Promise<void> {
    const seen = this.stderr.length;
    const child = spawn(
      process.execPath,
      [CLI, "daemon", "-l", `unix:${this.socket}`, ...options],
      {
        env: this.store.environment,
        stdio: ["ignore", "ignore", "pipe"],
      },
    );
    this.#process = child;
    child.stderr.on("data", (chunk: Buffer) => {
      this.stderr += chunk;
    });
    await until(() => this.stderr.includes("listening on", seen) || child.exitCode !== null);
    if (child.exitCode !== null) throw new Error(`The daemon ended at once: ${this.stderr}`);
  }

  /** Ends it without warning. */
  async kill(): Promise<void> {
    const child = this.#process;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    child.kill("SIGKILL");
    await until(() => child.exitCode !== null || child.signalCode !== null);
  }

  [Symbol.dispose](): void {
    this.#process?.kill("SIGKILL");
  }
}

/** The options that make a command use the services at `address`. */
export function addressOptions(address: string): string[] {
  return ["blob", "directory", "path-info"].map(
    (service) => `--${service}-service-addr=${address}`,
  );
}
