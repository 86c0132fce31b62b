/**
 * The mount engines, the disk and squashfs side by side, on one tree, in one run: `make bench-mount`.
 *
 *   TVIX_BENCH_ROUNDS   how often everything is measured cold, 5 unless given
 *   TMPDIR              where: a disk with 5 GB to spare, and as much memory
 */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { cpuPressure, describeMachine } from "../support/machine.js";
import { CLI, inRepository, run } from "../support/run.js";
import { chart } from "./chart.js";
import {
  type Absence,
  absenceOf,
  type Contender,
  diskTree,
  ourMount,
  type Sources,
  squashfs,
  squashfuse,
} from "./contenders.js";
import { Measurement } from "./measure.js";
import { report } from "./report.js";
import { Results } from "./results.js";
import { makeTree } from "./tree.js";

const COLD_ROUNDS = Number(process.env["TVIX_BENCH_ROUNDS"] ?? 5);
/** Warm lines take milliseconds, and their targets are close. */
const WARM_ROUNDS = 2 * COLD_ROUNDS + 1;

if (process.geteuid?.() !== 0) {
  console.error("make bench-mount needs root: it drops the kernel's caches and mounts squashfs.");
  process.exit(1);
}

const say = (text: string): void => void process.stderr.write(`${text}\n`);
const started = performance.now();
const folder = mkdtempSync(join(tmpdir(), "tvix-store-bench-"));
process.on("exit", () => {
  for (const id of ["kernel", "passthrough", "fuse-native", "squashfuse", "squashfs"]) {
    try {
      run("umount", ["-lq", join(folder, id)]);
    } catch {
      // It was not mounted.
    }
  }
  rmSync(folder, { recursive: true, force: true });
});
process.on("SIGINT", () => process.exit(130));
process.on("SIGTERM", () => process.exit(143));

const client = join(folder, "client");
run("gcc", ["-O2", "-Wall", "-pthread", "-o", client, inRepository("bench/mount/client.c")]);
const sources = prepare();
const absent: Absence[] = [];
const contenders: Contender[] = [];
for (const contender of [
  diskTree(sources),
  ourMount(sources, "kernel", "kernel engine", "--engine", "kernel"),
  ourMount(sources, "passthrough", "with passthrough", "--engine", "kernel", "--passthrough", "on"),
  ourMount(sources, "fuse-native", "fuse-native", "--engine", "fuse-native"),
  squashfuse(sources),
  squashfs(sources),
]) {
  const absence = await absenceOf(contender);
  if (absence === undefined) {
    contenders.push(contender);
  } else {
    absent.push(absence);
    say(`SKIPPED: ${absence.title}: ${absence.reason}`);
  }
}

const measurement = new Measurement(client, contenders, say);
await measurement.mountCold(COLD_ROUNDS);
await measurement.allCold(COLD_ROUNDS);
await measurement.warm(WARM_ROUNDS);

const results = new Results(contenders, measurement.rows);
const text = report(results, {
  machine: describeMachine(folder),
  versions: `squashfs-tools ${versionOf("mksquashfs", "-version")}, squashfuse ${versionOf("squashfuse_ll", "--help")}`,
  rounds: { cold: COLD_ROUNDS, warm: WARM_ROUNDS },
  absent,
  cpuPressure: cpuPressure(),
});
const docs = inRepository("docs/bench");
mkdirSync(docs, { recursive: true });
writeFileSync(join(docs, "mount.md"), text);
writeFileSync(join(docs, "mount.svg"), chart(results));
console.log(text);
say(`Took ${Math.round((performance.now() - started) / 1000)} s; written to docs/bench/`);
process.exit();

function prepare(): Sources {
  say("Making the tree, the store and the image");
  const disk = join(folder, "disk");
  const tree = join(disk, "tree");
  makeTree(tree, client);
  const store = join(folder, "store");
  const storePath = run(process.execPath, [CLI, "import", "--store-dir", store, tree]).trimEnd();
  const image = join(folder, "image.squashfs");
  const uncompressed = ["-noI", "-noD", "-noF", "-noX"];
  try {
    run("mksquashfs", [disk, image, ...uncompressed, "-quiet", "-no-progress"]);
  } catch (error) {
    say(`There is no squashfs image: ${error}`);
  }
  return { folder, tree, store, storePath, image };
}

/** The first thing that looks like a version in what a program says of itself, on whichever stream. */
function versionOf(program: string, option: string): string {
  try {
    return (
      /\d+\.\d+(\.\d+)?/.exec(run("sh", ["-c", `${program} ${option} 2>&1; true`]))?.[0] ?? "?"
    );
  } catch {
    return "?";
  }
}
