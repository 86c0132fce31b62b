/**
 * The processes that are called.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { createInterface } from "node:readline";

export interface RunningServer {
  /** Over TCP and over a unix socket, as grpc-js takes them. */
  readonly targets: { readonly tcp: string; readonly unix: string };
  /** Resident memory now and at its worst, in MiB. */
  memory(): { readonly residentMib: number; readonly peakMib: number };
  stop(): Promise<void>;
}

/** Starts `node args…`, which tells on stdout or stderr where it listens. */
export async function startServer(args: readonly string[], socket: string): Promise<RunningServer> {
  const child = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "pipe"] });
  // However this process ends, it leaves none behind.
  process.on("exit", () => child.kill());
  const port = await new Promise<string>((resolve, reject) => {
    let said = "";
    for (const stream of [child.stdout, child.stderr]) {
      createInterface(stream).on("line", (line) => {
        said += `${line}\n`;
        const found = /^listening on 127\.0\.0\.1:(\d+)$/.exec(line)?.[1];
        if (found !== undefined) resolve(found);
      });
    }
    child.on("exit", () => reject(new Error(`The server ended: ${said}`)));
  });
  return {
    targets: { tcp: `127.0.0.1:${port}`, unix: `unix:${socket}` },
    memory: () => {
      const status = readFileSync(`/proc/${child.pid}/status`, "utf8");
      const mib = (name: string) =>
        Number(new RegExp(`^${name}:\\s+(\\d+)`, "m").exec(status)?.[1]) / 1024;
      return { residentMib: mib("VmRSS"), peakMib: mib("VmHWM") };
    },
    stop: async () => {
      child.kill();
      if (child.exitCode === null) await once(child, "exit");
    },
  };
}
