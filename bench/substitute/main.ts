/**
 * Substitution beside Nix's own, in one run: `make bench-substitute`.
 *
 *   TVIX_BENCH_ROUNDS         how often everything is measured, 5 unless given
 *   TVIX_BENCH_COMPRESSIONS   of the caches, "zstd xz" unless given
 *   TMPDIR                    where: a disk with 3 GB to spare
 */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { cpuPressure, describeMachine } from "../support/machine.js";
import { startNginx } from "../support/nginx.js";
import { CLI, inRepository, run } from "../support/run.js";
import { inTurn } from "../support/statistics.js";
import { makeClosure } from "./closure.js";
import { BareNode, type Contender, NixCopy, type Task, TvixStore } from "./contenders.js";
import { localReadMs, startSilentServer } from "./interference.js";
import { Nix } from "./nix.js";
import { type Bare, type LocalReads, type Measured, report } from "./report.js";

const ROUNDS = Number(process.env["TVIX_BENCH_ROUNDS"] ?? 5);
const COMPRESSIONS = (process.env["TVIX_BENCH_COMPRESSIONS"] ?? "zstd xz").split(" ");
/** Looked at through a mount, these take a second or so. */
const LOCAL_FILES = 5_000;
const say = (text: string): void => void process.stderr.write(`${text}\n`);

const folder = mkdtempSync(join(tmpdir(), "tvix-store-bench-"));
process.on("exit", () => rmSync(folder, { recursive: true, force: true }));
process.on("SIGINT", () => process.exit(130));
process.on("SIGTERM", () => process.exit(143));

say("Making local files");
const localTree = join(folder, "local");
const filesMs = { disk: makeFiles(localTree), memory: makeFilesInMemory() };

say("Building the closure");
const [secret, known] = [join(folder, "secret"), join(folder, "public")];
const builder = new Nix(join(folder, "builder"));
builder.run("nix-store", "--generate-binary-cache-key", "bench-1", secret, known);
const key = readFileSync(known, "utf8").trim();
const closure = makeClosure(builder, folder, secret);

const cacheFolder = (compression: string): string => join(folder, `cache-${compression}`);
for (const compression of COMPRESSIONS) {
  say(`Compressing it with ${compression}`);
  const query = `compression=${compression}&parallel-compression=true`;
  const target = `file://${cacheFolder(compression)}?${query}`;
  builder.run("nix", "copy", "--to", target, closure.program);
}

let contenderCount = 0;
let contender = join(folder, "contender-0");
mkdirSync(contender);
const measured: Measured[] = [];
let bare: Bare | undefined;
const log = join(folder, "sent");
for (const compression of COMPRESSIONS) {
  const root = cacheFolder(compression);
  const server = await startNginx(root, join(folder, `nginx-${compression}`), log);
  const cache = { url: server.url, key, program: closure.program };
  const contenders = {
    nix: new NixCopy(cache, newFolder),
    ours: new TvixStore(cache, newFolder),
  };
  try {
    for (const what of ["run", "get"] as const) {
      say(`${compression}: ${what}`);
      measured.push(...(await measure(compression, what, contenders)));
    }
    if (compression === "zstd") {
      bare = await measureBare(contenders.nix, new BareNode(cache.url, root, newFolder));
    }
  } finally {
    await server.stop();
  }
}

say("Reading what is local");
const local = await measureLocalReads();
const text = report(measured, bare, local, {
  closure,
  machine: describeMachine(folder),
  nixVersion: run("nix", ["--version"]).trim(),
  rounds: ROUNDS,
  cpuPressure: cpuPressure(),
  filesMs,
});
mkdirSync(inRepository("docs/bench"), { recursive: true });
writeFileSync(inRepository("docs/bench/substitute.md"), text);
console.log(text);

async function measure(
  compression: string,
  what: keyof Contender,
  contenders: Readonly<Record<"nix" | "ours", Contender>>,
): Promise<Measured[]> {
  const results = new Map<string, Measured>();
  // The first round only warms the caches up.
  for (let round = -1; round < ROUNDS; round++) {
    for (const who of inTurn(["nix", "ours"] as const, round)) {
      writeFileSync(log, "");
      const times: Partial<Record<Task, number>> = await contenders[who][what]();
      if (round < 0) continue;
      for (const [task, tookMs] of Object.entries(times) as [Task, number][]) {
        const none = { compression, task, nix: [], ours: [], bytes: { nix: 0, ours: 0 } };
        const result: Measured = results.get(task) ?? none;
        results.set(task, result);
        result[who].push(tookMs);
        result.bytes[who] = bytesSent();
      }
    }
  }
  return [...results.values()];
}

/** What Node takes without a store, beside Nix. */
async function measureBare(nix: Contender, node: BareNode): Promise<Bare> {
  const result: Bare = { nix: [], node: [] };
  for (let round = -1; round < ROUNDS; round++) {
    for (const who of inTurn(["nix", "node"] as const, round)) {
      const tookMs = who === "nix" ? (await nix.get()).whole : node.get();
      if (round >= 0) result[who].push(tookMs);
    }
  }
  return result;
}

/** By the server, in all answers since the log was emptied. */
function bytesSent(): number {
  const lines = readFileSync(log, "utf8").trimEnd().split("\n");
  return lines.reduce((sum, line) => sum + Number(line.split(" ")[0]), 0);
}

/** Makes {@link LOCAL_FILES} of a few kilobytes and tells how many milliseconds it took. */
function makeFiles(tree: string): number {
  const start = performance.now();
  for (let index = 0; index < LOCAL_FILES; index++) {
    const inside = join(tree, `${index % 50}`);
    if (index < 50) mkdirSync(inside, { recursive: true });
    writeFileSync(join(inside, `${index}`), `${index}`.repeat(500));
  }
  return performance.now() - start;
}

function makeFilesInMemory(): number {
  const inMemory = mkdtempSync("/dev/shm/tvix-store-bench-");
  try {
    return makeFiles(inMemory);
  } finally {
    rmSync(inMemory, { recursive: true });
  }
}

async function measureLocalReads(): Promise<LocalReads> {
  const store = join(folder, "local-store");
  const storePath = run(process.execPath, [CLI, "import", "--store-dir", store, localTree]).trim();
  await using silent = await startSilentServer();
  const result: LocalReads = { files: LOCAL_FILES, off: [], on: [] };
  for (let round = -1; round < ROUNDS; round++) {
    for (const fault of inTurn(["off", "on"] as const, round)) {
      const where = { store, storePath, url: silent.url };
      const tookMs = await localReadMs(newFolder(), where, fault === "on");
      if (round >= 0) result[fault].push(tookMs);
    }
  }
  return result;
}

/**
 * The files of the one before are emptied, not removed: the next one gets their memory, which is new to no machine that
 * has been running for a while, and for minutes ext4 without a journal steps around each inode that was freed.
 */
function newFolder(): string {
  run("find", [contender, "-type", "f", "-size", "+0", "-exec", "truncate", "--size=0", "{}", "+"]);
  contender = join(folder, `contender-${++contenderCount}`);
  mkdirSync(contender);
  // What the one before has written is not this one's to wait for.
  run("sync", []);
  return contender;
}
