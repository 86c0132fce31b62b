/**
 * Nix and tvix-store, each with an empty store in front of one cache.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, readdirSync, readFileSync } from "node:fs";
import { basename, join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { CLI, run } from "../support/run.js";
import { Nix } from "./nix.js";

/**
 * Milliseconds until the program has printed its first line, until it has ended; until the whole closure is there, until
 * all of that is on the disk.
 */
export type Task = "firstLine" | "ended" | "whole" | "durable";

/** Each from nothing: a store that is not there yet. */
export interface Contender {
  /** Gets the program and runs it. */
  run(): Promise<Record<"firstLine" | "ended", number>>;
  /** Gets the whole closure. */
  get(): Promise<Record<"whole" | "durable", number>>;
}

export interface Cache {
  readonly url: string;
  /** Who signed it. */
  readonly key: string;
  /** The store path of the program. */
  readonly program: string;
}

export class NixCopy implements Contender {
  readonly #cache: Cache;
  readonly #newFolder: () => string;

  constructor(cache: Cache, newFolder: () => string) {
    this.#cache = cache;
    this.#newFolder = newFolder;
  }

  async run() {
    const nix = new Nix(this.#newFolder(), this.#cache.key);
    const started = performance.now();
    this.#copy(nix);
    return await runProgram(join(nix.storeFolder, basename(this.#cache.program)), started);
  }

  async get() {
    const nix = new Nix(this.#newFolder(), this.#cache.key);
    const started = performance.now();
    this.#copy(nix);
    return synced(nix.storeFolder, started);
  }

  #copy(nix: Nix): void {
    nix.run("nix", "copy", "--from", this.#cache.url, this.#cache.program);
  }
}

export class TvixStore implements Contender {
  readonly #cache: Cache;
  readonly #newFolder: () => string;

  constructor(cache: Cache, newFolder: () => string) {
    this.#cache = cache;
    this.#newFolder = newFolder;
  }

  async run() {
    const folder = this.#newFolder();
    const started = performance.now();
    await using mount = await startMount(folder, this.#options(folder));
    return await runProgram(join(mount.place, basename(this.#cache.program)), started);
  }

  async get() {
    const folder = this.#newFolder();
    const started = performance.now();
    run(process.execPath, [CLI, "prefetch", ...this.#options(folder), this.#cache.program]);
    return synced(folder, started);
  }

  #options(folder: string): readonly string[] {
    const { url, key } = this.#cache;
    const trust = ["--substituter", url, "--trusted-public-key", key];
    return ["--store-dir", join(folder, "store"), ...trust];
  }
}

/** Node without a store: what it takes to fetch, decompress, hash and write what is in a cache. */
export class BareNode {
  readonly #url: string;
  readonly #nars: readonly string[];
  readonly #newFolder: () => string;

  /** @param folder what `url` serves, all of which is compressed with zstd */
  constructor(url: string, folder: string, newFolder: () => string) {
    this.#url = url;
    this.#nars = narUrls(folder);
    this.#newFolder = newFolder;
  }

  /** Milliseconds until all of it is there. */
  get(): number {
    const folder = this.#newFolder();
    const started = performance.now();
    run(process.execPath, [BARE_NODE, this.#url, folder, ...this.#nars]);
    return performance.now() - started;
  }
}

const BARE_NODE = fileURLToPath(new URL("bare-node.js", import.meta.url));

/** Of the binary cache in `folder`, the largest first. */
function narUrls(folder: string): string[] {
  return readdirSync(folder)
    .filter((name) => name.endsWith(".narinfo"))
    .map((name) => readFileSync(join(folder, name), "utf8"))
    .map((text) => ({
      url: /^URL: (.*)$/m.exec(text)?.[1] as string,
      bytes: Number(/^FileSize: (.*)$/m.exec(text)?.[1]),
    }))
    .toSorted((a, b) => b.bytes - a.bytes)
    .map(({ url }) => url);
}

interface RunningMount extends AsyncDisposable {
  readonly place: string;
}

/** `tvix-store mount` at a place in `folder`, ready for use. */
export async function startMount(
  folder: string,
  options: readonly string[],
): Promise<RunningMount> {
  const place = join(folder, "mount");
  mkdirSync(place, { recursive: true });
  const child = spawn(process.execPath, [CLI, "mount", place, ...options], {
    stdio: ["ignore", "ignore", "pipe"],
  });
  const ended = once(child, "exit");
  const ready = new Promise<void>((resolve, reject) => {
    const said: string[] = [];
    createInterface(child.stderr).on("line", (line) => {
      said.push(line);
      if (line === `mounted ${place}`) resolve();
    });
    void ended.then(() => reject(new Error(`The mount ended at once: ${said.join("; ")}`)));
  });
  const close = async (): Promise<void> => {
    child.kill("SIGINT");
    await ended;
  };
  await ready;
  return { place, [Symbol.asyncDispose]: close };
}

/** The time of now, and of when all that is in `folder` has reached the disk. */
function synced(folder: string, started: number) {
  const whole = performance.now() - started;
  run("sync", ["-f", folder]);
  return { whole, durable: performance.now() - started };
}

/** Runs the program in the store path that is at `place`. Times are since `started`. */
async function runProgram(place: string, started: number) {
  const child = spawn(join(place, "bin", "program"), { stdio: ["ignore", "pipe", "inherit"] });
  const exit = once(child, "exit");
  const [line] = await once(createInterface(child.stdout), "line");
  const firstLine = performance.now() - started;
  const [status] = await exit;
  if (status !== 0 || line === "") throw new Error(`The program at ${place} failed`);
  return { firstLine, ended: performance.now() - started };
}
