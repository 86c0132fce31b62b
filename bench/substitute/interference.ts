/**
 * Reading what is local while an upstream never answers, beside the same without it.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { createServer } from "node:net";
import { basename, join } from "node:path";
import { run } from "../support/run.js";
import { startMount } from "./contenders.js";

/** Programs that wait for store paths of the upstream meanwhile. */
const WAITING = 8;

export interface Upstream extends AsyncDisposable {
  readonly url: string;
}

/** Takes connections, and never says anything. */
export async function startSilentServer(): Promise<Upstream> {
  const server = createServer(() => {}).listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as { port: number };
  return {
    url: `http://127.0.0.1:${port}`,
    [Symbol.asyncDispose]: async () => void server.close(),
  };
}

/**
 * Milliseconds that reading all files of `storePath` takes, in a mount of its local `store` that nobody has
 * looked at yet, so that nothing is answered by the kernel.
 */
export async function localReadMs(
  folder: string,
  { store, storePath, url }: { store: string; storePath: string; url: string },
  isFaulty: boolean,
): Promise<number> {
  const options = ["--store-dir", store, "--substituter", url];
  await using mount = await startMount(folder, options);
  const waiting = Array.from({ length: isFaulty ? WAITING : 0 }, (_, index) => {
    const absent = `${"0".repeat(31)}${index}-absent`;
    return spawn("stat", [join(mount.place, absent)], { stdio: "ignore" });
  });
  await Promise.all(waiting.map((child) => once(child, "spawn")));
  const place = join(mount.place, basename(storePath));
  const started = performance.now();
  run("sh", ["-c", `find '${place}' -type f -exec cat {} + > /dev/null`]);
  const tookMs = performance.now() - started;
  const ends = waiting.map((child) => once(child, "exit"));
  if (waiting.some(({ exitCode }) => exitCode !== null)) throw new Error("Nobody had to wait");
  for (const child of waiting) child.kill("SIGKILL");
  await Promise.all(ends);
  return tookMs;
}
