/**
 * Imports killed at random moments. TVIX_TORTURE=1 makes it 200 of them, TVIX_TORTURE_SEED repeats a run.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { expect, test } from "vitest";
import { contentAddressedPath } from "../../src/store/content-address.js";
import { ingestTree } from "../../src/store/import/ingest.js";
import { memoryServices } from "../store/support/tree.js";
import { noise } from "../support/bytes.js";
import { CLI, TestStore } from "../support/cli.js";
import { randomFrom } from "../support/random.js";
import { temporaryFolder } from "../support/temp.js";

const long = process.env["TVIX_TORTURE"] === "1";
const ROUNDS = long ? 200 : 8;
/** A store that is not there yet is worth killing too; and short lists keep reading back quick. */
const ROUNDS_PER_STORE = 4;

const SMALL_FILES = 600;
const LARGE_FILES = 6;

const folder = temporaryFolder();

/** A tree with nothing in common with that of another round: all of it has to be written. */
function makeTree(round: number): string {
  const root = join(folder, `tree-${round}`);
  for (let index = 0; index < SMALL_FILES + LARGE_FILES; index++) {
    const parent = join(root, `folder ${index % 37}`, `${index % 5}`);
    if (index < 37 * 5) mkdirSync(parent, { recursive: true });
    const large = index % Math.floor(SMALL_FILES / LARGE_FILES) === 0;
    const size = large ? 500_000 + 200_000 * (index % 9) : 1000 + (index % 7) * 900;
    writeFileSync(join(parent, `${index}`), noise(size, round * 10_000 + index + 1));
  }
  return root;
}

/** What the store path must be, worked out without any store on disk. */
async function storePathOf(tree: string): Promise<string> {
  const { narSha256 } = await ingestTree(Buffer.from(tree), memoryServices());
  return contentAddressedPath(
    { method: "nar", algorithm: "sha256", digest: narSha256 },
    "tree",
    [],
  ).toString();
}

interface Kill {
  readonly pid: number;
  /** Whether the process was still there. */
  readonly landed: boolean;
}

/**
 * When to kill, as a part of how long imports have taken of late: of what comes before an import writes its first
 * file, which is the first of its tree, or of what comes after that.
 */
interface Moment {
  readonly phase: "loading" | "writing";
  readonly part: number;
}

/** Of imports, in milliseconds: machines get faster and slower. */
const takes = { loading: 0, writing: 0 };

/** Imports `tree`; what is running at `moment` is killed. */
async function importUntil(moment: Moment, store: TestStore, tree: string): Promise<Kill> {
  const started = performance.now();
  const child = spawn(process.execPath, [CLI, "import", "--name", "tree", tree], {
    env: store.environment,
    stdio: "ignore",
  });
  const pid = child.pid as number;
  const exit = once(child, "exit") as Promise<[number | null, NodeJS.Signals | null]>;
  const ended = new AbortController();
  void exit.finally(() => ended.abort());
  const pause = (ms: number) => sleep(ms, undefined, { signal: ended.signal }).catch(() => {});

  if (moment.phase === "writing") {
    while (!ended.signal.aborted && !isWriting(store, pid)) await pause(1);
    if (!ended.signal.aborted) takes.loading = performance.now() - started;
  }
  const began = performance.now();
  await pause(moment.part * takes[moment.phase]);
  if (moment.phase === "writing" && ended.signal.aborted) {
    takes.writing = performance.now() - began;
  }
  child.kill("SIGKILL");
  const [, signal] = await exit;
  return { pid, landed: signal === "SIGKILL" };
}

function isWriting(store: TestStore, pid: number): boolean {
  const uploads = join(store.folder, "tmp");
  return existsSync(uploads) && readdirSync(uploads).some((name) => name.startsWith(`${pid}.`));
}

/** One store from its making on, through `rounds` kills. How many of them came in the middle. */
async function torture(rounds: readonly number[], pickMoment: () => Moment): Promise<number> {
  const store = new TestStore();
  const killed: number[] = [];
  const complete: string[] = [];
  let inTheMiddle = 0;
  for (const round of rounds) {
    const tree = makeTree(round);
    const path = await storePathOf(tree);
    const { pid, landed } = await importUntil(pickMoment(), store, tree);
    killed.push(pid);

    // Killed at the very start, it has not made the store.
    const made = existsSync(join(store.folder, "FORMAT"));
    const listed = made ? await store.readBack() : [];
    expect([...complete, path]).toEqual(expect.arrayContaining(listed));
    expect(listed).toEqual(expect.arrayContaining(complete));
    if (landed && made && !listed.includes(path)) inTheMiddle++;

    expect(await store.import(tree, "--name", "tree")).toBe(path);
    complete.push(path);
    rmSync(tree, { recursive: true });
  }
  expect((await store.readBack()).sort()).toEqual(complete.sort());
  for (const upload of readdirSync(join(store.folder, "tmp"))) {
    expect(killed).toContain(Number(upload.split(".")[0]));
  }
  rmSync(store.folder, { recursive: true });
  return inTheMiddle;
}

test(`A store outlives ${ROUNDS} killed imports`, { timeout: 3_600_000 }, async () => {
  const seed = Number(process.env["TVIX_TORTURE_SEED"] ?? Math.floor(Math.random() * 2 ** 31));
  const random = randomFrom(seed);
  takes.writing = 60_000;
  await importUntil({ phase: "writing", part: 1 }, new TestStore(), makeTree(0));
  const rounds = Array.from({ length: ROUNDS }, (_, index) => index + 1);

  let inTheMiddle = 0;
  while (rounds.length > 0) {
    // Few while the program loads or makes the store: most are to hit the work.
    const pick = (): Moment => ({
      phase: random() < 0.15 ? "loading" : "writing",
      part: random(),
    });
    inTheMiddle += await torture(rounds.splice(0, ROUNDS_PER_STORE), pick);
  }
  console.log(`${inTheMiddle} of ${ROUNDS} kills came in the middle of an import (seed ${seed})`);
  expect(inTheMiddle).toBeGreaterThan(ROUNDS / 4);
});
