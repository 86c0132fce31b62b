/**
 * Dumping, hashing and restoring NARs beside Nix itself, in one run: `make bench-nar`.
 *
 *   TVIX_BENCH_ROUNDS   how often everything is measured, 5 unless given
 *   TMPDIR              where: a disk with 6 GB to spare
 */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { cpuPressure, describeMachine } from "../support/machine.js";
import { CLI, inRepository, run } from "../support/run.js";
import { inTurn, median } from "../support/statistics.js";
import { DRAIN, type Line, lines, type Places, type Task } from "./lines.js";
import { report, type Times } from "./report.js";
import { makeTrees } from "./trees.js";

const ROUNDS = Number(process.env["TVIX_BENCH_ROUNDS"] ?? 5);

const folder = mkdtempSync(join(tmpdir(), "tvix-store-bench-"));
const say = (text: string): void => void process.stderr.write(`${text}\n`);

process.on("exit", () => rmSync(folder, { recursive: true, force: true }));
process.on("SIGINT", () => process.exit(130));
process.on("SIGTERM", () => process.exit(143));

say("Making the trees and the store");
const places = prepare();
const measured = lines(places);
const nixStartMs = median(Array.from({ length: 9 }, () => shell(`nix-store --dump ${empty()}`)));
const worker = await startWorker(places.store);
const times: Times[] = [];
for (const line of measured) times.push(await measure(line, worker));
worker.disconnect();

const text = report(times, {
  machine: describeMachine(folder),
  nixVersion: run("nix", ["--version"]).trim(),
  rounds: ROUNDS,
  nixStartMs,
  cpuPressure: cpuPressure(),
});
mkdirSync(inRepository("docs/bench"), { recursive: true });
writeFileSync(inRepository("docs/bench/nar.md"), text);
console.log(text);
function prepare(): Places {
  const [big, small, store] = ["big", "small", "store"].map((name) => join(folder, name)) as [
    string,
    string,
    string,
  ];
  makeTrees(big, small);
  const add = (path: string) =>
    run(process.execPath, [CLI, "import", "--store-dir", store, path]).trimEnd();
  return { folder, store, big, small, bigStorePath: add(big), smallStorePath: add(small) };
}

function empty(): string {
  const path = join(folder, "empty");
  writeFileSync(path, "");
  return `${path} > /dev/null`;
}

/** Milliseconds that a command line takes. */
function shell(command: string): number {
  const started = performance.now();
  run("sh", ["-c", command]);
  return performance.now() - started;
}

async function measure(line: Line, worker: ChildProcess): Promise<Times> {
  say(line.title);
  const result: Times = { line, nix: [], ours: [], started: [] };
  const variants = [
    { values: result.nix, take: async () => shell(line.nix) },
    { values: result.ours, take: async () => shell(line.ours) },
    { values: result.started, take: () => ask(worker, line.task) },
  ];
  // The first round only warms the caches up.
  for (let round = -1; round < ROUNDS; round++) {
    for (const { values, take } of inTurn(variants, round)) {
      const tookMs = await take();
      line.clean?.();
      if (round >= 0) values.push(tookMs);
    }
  }
  return result;
}

async function ask(worker: ChildProcess, task: Task): Promise<number> {
  const answer = once(worker, "message");
  worker.send(task);
  return (await answer)[0] as number;
}

/** Its NARs go the same way as everyone's. Not through a pipe that Node makes: that is a socket. */
async function startWorker(store: string): Promise<ChildProcess> {
  const line = `${process.execPath} ${inRepository("bench/nar/worker.mjs")} ${store} ${DRAIN}`;
  const worker = spawn("sh", ["-c", line], { stdio: ["ignore", "ignore", "inherit", "ipc"] });
  await once(worker, "message");
  return worker;
}
