/**
 * Our server of the cache; nginx has the same cache as files.
 */
import { spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { type RunningServer, stopChild } from "../support/nginx.js";
import { CLI } from "../support/run.js";

/** `tvix-store daemon --http` on the store in `folder`. */
export async function startOurs(folder: string): Promise<RunningServer> {
  const args = ["--store-dir", folder, "--http", "127.0.0.1:0", "-l", `unix:${folder}.socket`];
  const child = spawn(process.execPath, [CLI, "daemon", ...args], {
    stdio: ["ignore", "ignore", "pipe"],
  });
  const place = await new Promise<string>((resolve, reject) => {
    createInterface(child.stderr).on("line", (line) => {
      const found = /^http on (\S+)$/.exec(line)?.[1];
      if (found !== undefined) resolve(found);
    });
    child.on("exit", () => reject(new Error("The daemon ended at once")));
  });
  return { url: `http://${place}`, stop: () => stopChild(child) };
}
