/**
 * A mount under mixed load while imports go on beside it. TVIX_SOAK_MINUTES says for how long, 2 unless
 * given; TVIX_SOAK_SEED repeats what was read.
 */
import { type ChildProcess, spawn } from "node:child_process";
import {
  chmodSync,
  copyFileSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { isMountPoint, kernelTestsObstacle } from "../fuse/support/fake-mount.js";
import { noise } from "../support/bytes.js";
import { python, runProgram } from "../support/child.js";
import { TestStore } from "../support/cli.js";
import { CliMount } from "../support/cli-mount.js";
import { PYTHON } from "../support/python.js";
import { temporaryFolder } from "../support/temp.js";

if (kernelTestsObstacle !== undefined) console.warn(`Kernel tests skipped: ${kernelTestsObstacle}`);

const MINUTES = Number(process.env["TVIX_SOAK_MINUTES"] ?? 2);
const SEED = Number(process.env["TVIX_SOAK_SEED"] ?? Math.floor(Math.random() * 2 ** 31));
const READERS = 4;
const LOAD = fileURLToPath(new URL("load.py", import.meta.url));

const SAMPLE_MS = 1000;
const FORGET_MS = 3000;
const IMPORT_PAUSE_MS = 3000;

/** What heaps and caches that are full may sway by. A leak of a few bytes per request is far more. */
const GROWTH_BYTES_MAX = 24 * 2 ** 20;
/** Descriptors that may come and go: a blob being opened, a pipe of the runtime. */
const GROWTH_DESCRIPTORS_MAX = 8;

const MIB = 2 ** 20;
const SMALL_FILES = 3000;
/** More than the descriptors that are kept. */
const LARGE_BLOBS = 300;

function makeTree(): string {
  const root = join(temporaryFolder(), "tree");
  const write = (path: string | Buffer, bytes: number) =>
    writeFileSync(path, noise(bytes, ++files));
  let files = 0;
  for (let index = 0; index < SMALL_FILES; index++) {
    const folder = join(root, `small ${index % 13}`, `${index % 7}`);
    mkdirSync(folder, { recursive: true });
    write(join(folder, `file ${index}`), (index * 37) % 9000);
  }
  mkdirSync(join(root, "large"));
  for (let index = 0; index < LARGE_BLOBS; index++) {
    // From just below what lies in the index.
    write(join(root, "large", `${index}`), 65_535 + index);
  }
  for (const mib of [3, 40, 100]) write(join(root, `${mib} MiB and a bit`), mib * MIB + mib);
  mkdirSync(join(root, "many"));
  for (let index = 0; index < 20_000; index++) writeFileSync(join(root, "many", `${index}`), "");
  mkdirSync(join(root, "names"));
  const names = Buffer.from(join(root, "names/"));
  for (const name of [[0xff, 0xfe], [0x0a], [0x5c, 0x20, 0x22], Array(255).fill(0x6e)]) {
    write(Buffer.concat([names, Buffer.from(name)]), 100);
  }
  symlinkSync(Buffer.from([0x2e, 0x2f, 0xff]), join(root, "names", "link"));
  symlinkSync("3 MiB and a bit", join(root, "link"));
  mkdirSync(join(root, "bin"));
  writeFileSync(join(root, "bin", "script"), '#!/bin/sh\necho "$@"\n');
  copyFileSync("/bin/echo", join(root, "bin", "echo"));
  for (const program of ["script", "echo"]) chmodSync(join(root, "bin", program), 0o755);
  return root;
}

/** One process that reads the mounted tree until it is told to end. */
class Reader {
  readonly #process: ChildProcess;
  #output = "";

  constructor(expected: string, found: string, seed: number) {
    this.#process = spawn(PYTHON, [LOAD, expected, found, String(seed)]);
    for (const stream of [this.#process.stdout, this.#process.stderr]) {
      stream?.on("data", (chunk) => {
        this.#output += chunk;
      });
    }
  }

  get failed(): boolean {
    return this.#process.exitCode !== null || this.#process.signalCode !== null;
  }

  /** What it did, and how often; throws with what it said when something was wrong. */
  async end(): Promise<Record<string, number>> {
    const ended = new Promise((resolve) => this.#process.once("close", resolve));
    const wasRunning = !this.failed;
    this.#process.stdin?.end();
    if (wasRunning) await ended;
    if (!wasRunning || this.#process.exitCode !== 0) throw new Error(this.#output);
    return JSON.parse(this.#output) as Record<string, number>;
  }

  kill(): void {
    this.#process.kill("SIGKILL");
  }
}

interface Sample {
  readonly anonBytes: number;
  readonly descriptors: number;
}

function sample(pid: number): Sample {
  const status = readFileSync(`/proc/${pid}/status`, "utf8");
  return {
    anonBytes: Number(/^RssAnon:\s+(\d+) kB$/m.exec(status)?.[1]) * 1024,
    descriptors: readdirSync(`/proc/${pid}/fd`).length,
  };
}

/**
 * Makes the kernel forget what the mount told it, as when memory is short: else it would ask for nothing
 * twice. A remount does that for one mount, and takes root.
 */
async function forget(mountPoint: string): Promise<void> {
  if (process.geteuid?.() !== 0) return;
  await python(
    `
import ctypes, sys
libc = ctypes.CDLL(None, use_errno=True)
MS_RDONLY, MS_NOSUID, MS_NODEV, MS_REMOUNT, MS_NOATIME = 1, 2, 4, 32, 1024
flags = MS_REMOUNT | MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOATIME
if libc.mount(None, sys.argv[1].encode(), None, flags, None) != 0: sys.exit(f"errno {ctypes.get_errno()}")
`,
    mountPoint,
  );
}

/** Calls `action` over and over until `signal`; it rejects with what went wrong. */
async function repeat(
  pauseMs: number,
  signal: AbortSignal,
  action: (round: number) => Promise<void> | void,
): Promise<void> {
  for (let round = 0; !signal.aborted; round++) {
    await action(round);
    await sleep(pauseMs, undefined, { signal }).catch(() => {});
  }
}

/** Imports a tree that is new, and reads it back through the mount. */
async function importAndCompare(store: TestStore, mount: CliMount, round: number): Promise<void> {
  const tree = join(temporaryFolderOfImports, `import ${round}`);
  mkdirSync(join(tree, "below"), { recursive: true });
  for (let index = 0; index < 100; index++) {
    writeFileSync(
      join(tree, "below", `${index}`),
      noise(2000 + index, 1_000_000 + round * 100 + index),
    );
  }
  // The same each time: what the server keeps open for it is the same file.
  writeFileSync(join(tree, "large"), noise(200_000, 7));
  const { status, stdout, stderr } = await store.run(["import", "--name", `import-${round}`, tree]);
  expect([status, stderr]).toEqual([0, ""]);
  const found = mount.path(stdout.trimEnd());
  const compared = await runProgram(PYTHON, [LOAD, tree, found]);
  expect([compared.status, compared.stderr]).toEqual([0, ""]);
  rmSync(tree, { recursive: true });
}

const temporaryFolderOfImports = temporaryFolder();

/** Fails as soon as a reader has ended. */
async function watch(readers: readonly Reader[], signal: AbortSignal): Promise<void> {
  await repeat(100, signal, async () => {
    for (const reader of readers) if (reader.failed) await reader.end();
  });
}

function medianOf(samples: readonly Sample[], part: keyof Sample): number {
  const values = samples.map((sample) => sample[part]).sort((a, b) => a - b);
  return values[values.length >> 1] as number;
}

test.skipIf(kernelTestsObstacle !== undefined)(
  `The kernel engine serves a mixed load for ${MINUTES} min, with imports beside it`,
  { timeout: (MINUTES + 5) * 60_000 },
  async () => {
    const store = new TestStore();
    const tree = makeTree();
    const storePath = await store.import(tree);
    using mount = await CliMount.start(store, "--engine", "kernel");
    const pid = mount.process.pid as number;
    const found = mount.path(storePath);
    const readers = Array.from(
      { length: READERS },
      (_, index) => new Reader(tree, found, SEED + index),
    );

    const samples: Sample[] = [];
    let imports = 0;
    const end = new AbortController();
    const timer = setTimeout(() => end.abort(), MINUTES * 60_000);
    try {
      const loops = [
        watch(readers, end.signal),
        repeat(SAMPLE_MS, end.signal, () => void samples.push(sample(pid))),
        repeat(FORGET_MS, end.signal, () => forget(mount.mountPoint)),
        repeat(IMPORT_PAUSE_MS, end.signal, async (round) => {
          await importAndCompare(store, mount, round);
          imports++;
        }),
      ];
      try {
        await Promise.all(loops);
      } finally {
        end.abort();
        await Promise.allSettled(loops);
      }
      const counts = await Promise.all(readers.map((reader) => reader.end()));
      const total = (name: string) => counts.reduce((sum, count) => sum + (count[name] ?? 0), 0);
      for (const name of Object.keys(counts[0] ?? {}))
        expect([name, total(name)]).not.toEqual([name, 0]);

      const quarter = Math.ceil(samples.length / 4);
      const before = samples.slice(quarter, 2 * quarter);
      const after = samples.slice(-quarter);
      const report = (["anonBytes", "descriptors"] as const).map((part) => ({
        part,
        before: medianOf(before, part),
        after: medianOf(after, part),
      }));
      console.log(
        `seed ${SEED}, ${imports} imports, ${JSON.stringify(counts)}, ${JSON.stringify(report)}`,
      );
      expect(medianOf(after, "anonBytes")).toBeLessThan(
        medianOf(before, "anonBytes") + GROWTH_BYTES_MAX,
      );
      expect(medianOf(after, "descriptors")).toBeLessThan(
        medianOf(before, "descriptors") + GROWTH_DESCRIPTORS_MAX,
      );
    } finally {
      clearTimeout(timer);
      for (const reader of readers) reader.kill();
    }

    expect(await mount.stop()).toBe(0);
    expect(isMountPoint(mount.mountPoint)).toBe(false);
    expect(mount.stderr).toBe(`mounted ${mount.mountPoint}\n`);
  },
);
