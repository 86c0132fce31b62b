/**
 * Who shows the tree: our engines, the tree itself, and squashfs in two ways.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, readFileSync } from "node:fs";
import { basename, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { CLI, run } from "../support/run.js";

/** A tree that can be looked at. */
export interface Shown {
  /** Where the tree is. */
  readonly tree: string;
  /** The process that serves it, if one does. */
  readonly server: number | undefined;
  stop(): Promise<void>;
}

export interface Contender {
  readonly id: string;
  readonly title: string;
  /** What lies behind it on disk: to be in the page cache where only the mount is to be cold. */
  readonly backing: readonly string[];
  /** Shows the tree anew: nothing of it is in the kernel's caches for this mount. */
  show(): Promise<Shown>;
}

/** Why someone is not there. */
export interface Absence {
  readonly title: string;
  readonly reason: string;
}

/** What all of them are made from. */
export interface Sources {
  /** A folder for mount points. */
  readonly folder: string;
  readonly tree: string;
  readonly store: string;
  readonly storePath: string;
  /** A squashfs image whose root holds the tree under its own name. */
  readonly image: string;
}

const START_MS = 20_000;

export function diskTree({ tree }: Sources): Contender {
  return {
    id: "disk",
    title: "disk tree",
    backing: [tree],
    show: async () => ({ tree, server: undefined, stop: async () => {} }),
  };
}

/** `tvix-store mount` with `options`. */
export function ourMount(
  sources: Sources,
  id: string,
  title: string,
  ...options: string[]
): Contender {
  const mountPoint = newMountPoint(sources, id);
  return {
    id,
    title,
    backing: [sources.store],
    async show() {
      const args = [CLI, "mount", mountPoint, "--store-dir", sources.store, ...options];
      const server = await startServer(process.execPath, args, mountPoint);
      const stop = () => stopServer(server, () => server.kill("SIGINT"));
      return { tree: join(mountPoint, basename(sources.storePath)), server: server.pid, stop };
    },
  };
}

/** The low-level one of the package's two servers: the quicker one. */
export function squashfuse(sources: Sources): Contender {
  const mountPoint = newMountPoint(sources, "squashfuse");
  return {
    id: "squashfuse",
    title: "squashfuse",
    backing: [sources.image],
    async show() {
      const server = await startServer(
        "squashfuse_ll",
        ["-f", sources.image, mountPoint],
        mountPoint,
      );
      const stop = () => stopServer(server, () => run("umount", [mountPoint]));
      return { tree: join(mountPoint, basename(sources.tree)), server: server.pid, stop };
    },
  };
}

export function squashfs(sources: Sources): Contender {
  const mountPoint = newMountPoint(sources, "squashfs");
  return {
    id: "squashfs",
    title: "squashfs (kernel)",
    backing: [sources.image],
    async show() {
      run("mount", ["-t", "squashfs", "-o", "loop,ro", sources.image, mountPoint]);
      return {
        tree: join(mountPoint, basename(sources.tree)),
        server: undefined,
        stop: async () => void run("umount", [mountPoint]),
      };
    },
  };
}

/** Shows and hides a contender once; why it cannot be shown here, or `undefined`. */
export async function absenceOf(contender: Contender): Promise<Absence | undefined> {
  try {
    await (await contender.show()).stop();
    return undefined;
  } catch (error) {
    const [reason = ""] = (error instanceof Error ? error.message : String(error)).split("\n");
    return { title: contender.title, reason };
  }
}

function newMountPoint({ folder }: Sources, id: string): string {
  const path = join(folder, id);
  mkdirSync(path);
  return path;
}

async function startServer(
  program: string,
  args: readonly string[],
  mountPoint: string,
): Promise<ChildProcess> {
  const server = spawn(program, args, { stdio: ["ignore", "ignore", "pipe"] });
  let said = "";
  server.stderr?.on("data", (chunk) => {
    said += chunk;
  });
  let failure: Error | undefined;
  server.on("error", (error) => {
    failure = error;
  });
  const deadline = performance.now() + START_MS;
  while (!isMounted(mountPoint)) {
    if (failure !== undefined) throw failure;
    if (server.exitCode !== null) throw new Error(`${program} ended at once: ${said}`);
    if (performance.now() > deadline) throw new Error(`${program} does not mount: ${said}`);
    await sleep(5);
  }
  // Ours say so when they serve; the others do as soon as they are mounted.
  while (program === process.execPath && !said.includes("mounted ")) await sleep(5);
  return server;
}

async function stopServer(server: ChildProcess, ask: () => void): Promise<void> {
  const ended = once(server, "exit");
  ask();
  const patience = AbortSignal.timeout(START_MS);
  patience.addEventListener("abort", () => server.kill("SIGKILL"));
  await ended;
}

function isMounted(mountPoint: string): boolean {
  return readFileSync("/proc/self/mountinfo", "utf8").includes(` ${mountPoint} `);
}
