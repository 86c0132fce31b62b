/**
 * `tvix-store mount` as a child process. Only other children look at what it mounts.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { rmSync } from "node:fs";
import { basename, join } from "node:path";
import { newMountPoint, removeMounts, until } from "../fuse/support/fake-mount.js";
import { CLI, type TestStore } from "./cli.js";

export class CliMount implements Disposable {
  readonly mountPoint = newMountPoint();
  readonly process: ChildProcess;
  stderr = "";

  private constructor(store: TestStore, options: readonly string[]) {
    this.process = spawn(process.execPath, [CLI, "mount", this.mountPoint, ...options], {
      env: store.environment,
      stdio: ["ignore", "pipe", "pipe"],
    });
    this.process.stderr?.on("data", (chunk: Buffer) => {
      this.stderr += chunk;
    });
  }

  /** Mounts `store` and waits until the mount is usable. */
  static async start(store: TestStore, ...options: string[]): Promise<CliMount> {
    const mount = new CliMount(store, options);
    try {
      await until(() => mount.stderr.includes(`mounted ${mount.mountPoint}\n`) || mount.hasExited);
      if (mount.hasExited) throw new Error(`The mount ended at once: ${mount.stderr}`);
      return mount;
    } catch (error) {
      mount.discard();
      throw error;
    }
  }

  get hasExited(): boolean {
    return this.process.exitCode !== null || this.process.signalCode !== null;
  }

  /** Where `storePath`, in any of its forms with a name, appears in the mount. */
  path(storePath: string, ...below: string[]): string {
    return join(this.mountPoint, basename(storePath), ...below);
  }

  /** Asks it to end as Ctrl-C does; the exit status. */
  async stop(): Promise<number | null> {
    this.process.kill("SIGINT");
    await until(() => this.hasExited);
    return this.process.exitCode;
  }

  /** Ends it whatever state it is in, and leaves no mount and no folder behind. */
  discard(): void {
    this.process.kill("SIGKILL");
    removeMounts(this.mountPoint);
    rmSync(this.mountPoint, { recursive: true, force: true });
  }

  [Symbol.dispose](): void {
    this.discard();
  }
}
