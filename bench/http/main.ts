/**
 * Our binary cache against nginx with the same cache as files, in one run: `make bench-http`.
 *
 *   TVIX_BENCH_ROUNDS   how often everything is measured, 5 unless given
 */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { cpuPressure, describeMachine, pressureLines } from "../support/machine.js";
import { startNginx } from "../support/nginx.js";
import { CLI, inRepository, run } from "../support/run.js";
import { inTurn, median, medianRatio } from "../support/statistics.js";
import { startOurs } from "./server.js";

const ROUNDS = Number(process.env["TVIX_BENCH_ROUNDS"] ?? 5);
const PATHS = 200;
const LARGE_BYTES = 512 * 1024 * 1024;
const SMALL_FILES = 5_000;
/** As many as Nix opens. */
const CONNECTIONS = 25;
const SECONDS = 3;
const say = (text: string): void => void process.stderr.write(`${text}\n`);

interface Line {
  readonly title: string;
  readonly unit: string;
  readonly target?: number;
  /** The rate at which the server at `url` does it. */
  readonly measure: (url: string) => number;
}

const folder = mkdtempSync(join(tmpdir(), "tvix-store-bench-"));
process.on("exit", () => rmSync(folder, { recursive: true, force: true }));
process.on("SIGINT", () => process.exit(130));
process.on("SIGTERM", () => process.exit(143));

const store = join(folder, "store");
const files = join(folder, "files");
say("Filling the store");
const large = importTree("large", (path) => writeFileSync(path, noise(LARGE_BYTES)));
const small = importTree("small", (path) => {
  for (let index = 0; index < SMALL_FILES; index++) {
    const inside = join(path, `${index % 50}`);
    mkdirSync(inside, { recursive: true });
    writeFileSync(join(inside, `${index}`), `${index}`.repeat(500));
  }
});
const paths = importFiles();

const ours = await startOurs(store);
mkdirSync(join(files, "nar"), { recursive: true });
await save("nix-cache-info");
for (const path of [large, small, ...paths]) await save(`${hashOf(path)}.narinfo`);
const narOf = new Map<string, string>();
for (const path of [large, small]) {
  const text = await (await fetch(`${ours.url}/${hashOf(path)}.narinfo`)).text();
  const name = `nar/${/^NarHash: sha256:(\S+)$/m.exec(text)?.[1]}.nar`;
  narOf.set(path, name);
  run("curl", ["-sf", "-o", join(files, name), `${ours.url}/${name}`]);
}
const nginx = await startNginx(files, join(folder, "nginx"));

const lines: readonly Line[] = [
  {
    title: `narinfos on ${CONNECTIONS} connections`,
    unit: "1/s",
    target: 0.25,
    measure: (url) => requestsPerSecond(url),
  },
  {
    title: `NAR of one file of ${LARGE_BYTES / 2 ** 20} MiB`,
    unit: "MB/s",
    target: 0.5,
    measure: (url) => megabytesPerSecond(`${url}/${narOf.get(large)}`),
  },
  {
    title: `NAR of ${SMALL_FILES} small files`,
    unit: "MB/s",
    measure: (url) => megabytesPerSecond(`${url}/${narOf.get(small)}`),
  },
];
const script = join(folder, "narinfos.lua");
writeFileSync(
  script,
  `local hashes = { ${paths.map((path) => `"${hashOf(path)}"`).join(", ")} }
local at = 0
request = function()
  at = at % #hashes + 1
  return wrk.format("GET", "/" .. hashes[at] .. ".narinfo")
end
`,
);

const measured = lines.map((line) => ({ line, ours: [] as number[], nginx: [] as number[] }));
try {
  // The first round only warms up.
  for (let round = -1; round < ROUNDS; round++) {
    say(`Round ${round + 1} of ${ROUNDS}`);
    for (const each of measured) {
      for (const who of inTurn(["ours", "nginx"] as const, round)) {
        const rate = each.line.measure(who === "ours" ? ours.url : nginx.url);
        if (round >= 0) each[who].push(rate);
      }
    }
  }
  const text = report();
  const docs = inRepository("docs/bench");
  mkdirSync(docs, { recursive: true });
  writeFileSync(join(docs, "http.md"), text);
  console.log(text);
} finally {
  await Promise.all([ours.stop(), nginx.stop()]);
}
process.exit();

function report(): string {
  const pressure = cpuPressure();
  return [
    "# The binary cache beside nginx",
    "",
    "Written by `make bench-http`. `tvix-store daemon --http` renders narinfos and NARs from the store; nginx, with one worker and",
    "`sendfile`, sends the same bytes from files. They take turns at each line. `wrk` asks for narinfos, `curl` for NARs.",
    `Numbers are medians of ${ROUNDS} rounds, the ratio is the median of the ratios within each round.`,
    "",
    `Machine: ${describeMachine(folder)}.`,
    ...pressureLines(pressure),
    "",
    "| | tvix-store | nginx | ratio | target |",
    "|---|---:|---:|---:|---|",
    ...measured.map(({ line, ours: mine, nginx: theirs }) => {
      const ratio = medianRatio(mine, theirs);
      const verdict =
        line.target === undefined
          ? ""
          : `at least ${line.target}: ${ratio >= line.target ? "met" : "**not met**"}`;
      const numbers = [mine, theirs].map((rates) => Math.round(median(rates)));
      return `| ${line.title}, ${line.unit} | ${numbers.join(" | ")} | ${ratio.toFixed(2)} | ${verdict} |`;
    }),
    "",
  ].join("\n");
}

function requestsPerSecond(url: string): number {
  const options = ["-t1", `-c${CONNECTIONS}`, `-d${SECONDS}s`, "-s", script];
  const said = run("wrk", [...options, url]);
  if (/Non-2xx/.test(said)) throw new Error(`Some requests failed: ${said}`);
  return Number(/^Requests\/sec:\s+([\d.]+)$/m.exec(said)?.[1]);
}

function megabytesPerSecond(url: string): number {
  const bytesPerSecond = run("curl", ["-sf", "-o", "/dev/null", "-w", "%{speed_download}", url]);
  return Number(bytesPerSecond) / 1e6;
}

function importTree(name: string, write: (path: string) => void): string {
  const path = join(folder, "source", name);
  mkdirSync(name === "small" ? path : join(folder, "source"), { recursive: true });
  write(path);
  return run(process.execPath, [CLI, "import", "--store-dir", store, path]).trim();
}

/** Many at once: each start of a command takes longer than its work. */
function importFiles(): string[] {
  const sources = Array.from({ length: PATHS }, (_, index) => {
    const path = join(folder, "source", `path-${index}`);
    writeFileSync(path, `${index}`);
    return path;
  });
  return run(process.execPath, [CLI, "import", "--store-dir", store, ...sources])
    .trim()
    .split("\n");
}

function hashOf(storePath: string): string {
  return storePath.slice("/nix/store/".length, "/nix/store/".length + 32);
}

async function save(name: string): Promise<void> {
  const answer = await fetch(`${ours.url}/${name}`);
  if (!answer.ok) throw new Error(`${name} gave ${answer.status}`);
  writeFileSync(join(files, name), await answer.text());
}

function noise(length: number): Buffer {
  const content = Buffer.allocUnsafe(length);
  let state = 1;
  for (let at = 0; at + 4 <= length; at += 4) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    content.writeUInt32LE(state, at);
  }
  return content;
}
