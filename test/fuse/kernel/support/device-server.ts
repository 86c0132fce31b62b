/** A child process that mounts through src/fuse/kernel/device-mount.ts and serves an empty folder. */
import { type ChildProcess, spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import type { MountEntry } from "../../../../src/fuse/mount-table.js";
import { until } from "../../support/fake-mount.js";

/** Relative to the checkout. */
const SCRIPT = "test/fuse/kernel/support/serve-device.mjs";
export const CHECKOUT = fileURLToPath(new URL("../../../../", import.meta.url));

export interface ServerOptions {
  readonly allowOther?: boolean;
  readonly watch?: boolean;
  /** A file to serve as `backed`, through passthrough. */
  readonly backing?: string;
}

export class DeviceServer {
  readonly process: ChildProcess;
  output = "";

  /** `command` runs Node in the checkout; what it becomes must have the same process id. */
  constructor(
    mountPoint: string,
    options: ServerOptions = {},
    command: readonly string[] = [process.execPath, `${CHECKOUT}${SCRIPT}`],
  ) {
    const [program, ...args] = command as [string, ...string[]];
    this.process = spawn(program, [...args, mountPoint, JSON.stringify(options)]);
    for (const stream of [this.process.stdout, this.process.stderr]) {
      stream?.on("data", (chunk: Buffer) => {
        this.output += chunk;
      });
    }
  }

  /** Waits for the mount: what the table says of it, and how long it took to make. */
  async mounted(): Promise<MountEntry & { readonly tookMs: number }> {
    await this.said("mounted ");
    return JSON.parse(/^mounted (.*)$/m.exec(this.output)?.[1] as string);
  }

  /** Waits for the mount to be refused. */
  async failed(): Promise<{ readonly code: string; readonly message: string }> {
    await this.said("failed ");
    return JSON.parse(/^failed (.*)$/m.exec(this.output)?.[1] as string);
  }

  /** Sends a line to the server, see serve-device.mjs, and waits until it has acted. */
  async tell(line: string): Promise<void> {
    this.process.stdin?.write(`${line}\n`);
    await this.said(`done ${line}`);
  }

  async kill(): Promise<void> {
    this.process.kill("SIGKILL");
    await until(() => this.hasExited);
  }

  get hasExited(): boolean {
    return this.process.exitCode !== null || this.process.signalCode !== null;
  }

  async said(text: string): Promise<void> {
    await until(() => this.output.includes(text) || this.hasExited);
    if (!this.output.includes(text)) throw new Error(`The server ended: ${this.output}`);
  }
}

/** Words that run a program of the checkout at `checkout` with Node at `node`. */
export function serverCommand(node: string, checkout: string): string[] {
  return [node, `${checkout}/${SCRIPT}`];
}
