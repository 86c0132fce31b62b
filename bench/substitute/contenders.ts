/**
 * Nix and tvix-store, each with an empty store in front of one cache.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync } from "node:fs";
import { basename, join } from "node:path";
import { createInterface } from "node:readline";
import { CLI, run } from "../support/run.js";
import { Nix } from "./nix.js";

/** Times in milliseconds, each from nothing: a store that is not there yet. */
export interface Contender {
  /** Until the program has printed its first line. */
  firstLine(): Promise<number>;
  /** Until the whole closure is there. */
  whole(): Promise<number>;
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

  async firstLine(): Promise<number> {
    const nix = new Nix(this.#newFolder(), this.#cache.key);
    const started = performance.now();
    this.#copy(nix);
    await readLine(join(nix.storeFolder, basename(this.#cache.program)));
    return performance.now() - started;
  }

  async whole(): Promise<number> {
    const nix = new Nix(this.#newFolder(), this.#cache.key);
    const started = performance.now();
    this.#copy(nix);
    return performance.now() - started;
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

  async firstLine(): Promise<number> {
    const folder = this.#newFolder();
    const started = performance.now();
    await using mount = await startMount(folder, this.#options(folder));
    await readLine(join(mount.place, basename(this.#cache.program)));
    return performance.now() - started;
  }

  async whole(): Promise<number> {
    const options = this.#options(this.#newFolder());
    const started = performance.now();
    run(process.execPath, [CLI, "prefetch", ...options, this.#cache.program]);
    return performance.now() - started;
  }

  #options(folder: string): readonly string[] {
    const { url, key } = this.#cache;
    const trust = ["--substituter", url, "--trusted-public-key", key];
    return ["--store-dir", join(folder, "store"), ...trust];
  }
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

/** Runs the program in the store path that is at `place` until it has printed a line. */
async function readLine(place: string): Promise<void> {
  const child = spawn(join(place, "bin", "program"), { stdio: ["ignore", "pipe", "inherit"] });
  const [ended, [line]] = await Promise.all([
    once(child, "exit"),
    once(createInterface(child.stdout), "line"),
  ]);
  if (ended[0] !== 0 || line === "") throw new Error(`The program at ${place} failed`);
}
