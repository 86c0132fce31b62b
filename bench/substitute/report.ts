/**
 * docs/bench/substitute.md.
 */
import { pressureLines } from "../support/machine.js";
import { median, medianRatio } from "../support/statistics.js";
import type { Closure } from "./closure.js";
import type { Task } from "./contenders.js";

/** Milliseconds, one for each round; bytes of the last one. */
export interface Measured {
  readonly compression: string;
  readonly task: Task;
  readonly nix: number[];
  readonly ours: number[];
  readonly bytes: { nix: number; ours: number };
}

/** Milliseconds for a whole closure with zstd: by Nix, and by a program of Node that has no store. */
export interface Bare {
  readonly nix: number[];
  readonly node: number[];
}

/** Milliseconds, with an upstream that never answers and without. */
export interface LocalReads {
  readonly files: number;
  readonly off: number[];
  readonly on: number[];
}

export interface ReportContext {
  readonly closure: Closure;
  readonly machine: string;
  readonly nixVersion: string;
  readonly rounds: number;
  /** Percent of the time that programs waited for a core, while this ran. */
  readonly cpuPressure: number;
  /** Milliseconds for making `LocalReads.files` files before, to tell a disk at rest from one that is not. */
  readonly filesMs: { readonly disk: number; readonly memory: number };
}

const TASKS = {
  firstLine: { title: "first line of a program", ratioMax: 0.25 },
  ended: { title: "the program has ended", ratioMax: undefined },
  whole: { title: "whole closure", ratioMax: 1 },
  durable: { title: "whole closure, on the disk", ratioMax: undefined },
} as const;
/** Noise of the machine is not a delay. */
const LOCAL_RATIO_MAX = 1.1;

export function report(
  measured: readonly Measured[],
  bare: Bare | undefined,
  local: LocalReads,
  { closure, machine, nixVersion, rounds, cpuPressure, filesMs }: ReportContext,
): string {
  const localRatio = medianRatio(local.on, local.off);
  return [
    "# Substitution beside Nix",
    "",
    `Written by \`make bench-substitute\`. nginx on this machine serves a signed binary cache that ${nixVersion} wrote:`,
    `${closure.paths} store paths, ${megabytes(closure.narBytes)} MB of NARs, packages of npm and a program that reads from`,
    `${closure.usedPaths} of them one after the other (${megabytes(closure.usedNarBytes)} MB). Each measurement starts with ` +
      "no store at all:",
    "",
    "- first line of a program: `tvix-store mount --substituter` and the program run from the mount, until it has printed a",
    "  line (it comes from three store paths); `nix copy --from`, then the program",
    "- the program has ended: the same until it has read from all of them",
    "- whole closure: `tvix-store prefetch`; `nix copy --from`, which leaves it to the kernel when files reach the disk",
    "- whole closure, on the disk: the same and then `sync -f`, which finds nothing of ours left to do",
    "",
    `They take turns. Numbers are medians of ${rounds} rounds, the ratio is the median of the ratios within each round.`,
    "",
    `Machine: ${machine}.`,
    ...pressureLines(cpuPressure),
    `Before, making ${local.files} files took ${(filesMs.disk / filesMs.memory).toFixed(1)} times as long as in memory. At rest it is two to seven times; for minutes`,
    "after many files were removed it is forty times on an ext4 without a journal, which slows Nix down.",
    "",
    "| | cache | tvix-store, s | Nix, s | ratio | target | tvix-store, MB sent | Nix, MB sent |",
    "|---|---|---:|---:|---:|---|---:|---:|",
    ...measured.map(({ compression, task, nix, ours, bytes }) => {
      const { title, ratioMax } = TASKS[task];
      const ratio = medianRatio(ours, nix);
      const cells = [
        title,
        compression,
        seconds(ours),
        seconds(nix),
        ratio.toFixed(2),
        verdict(ratio, ratioMax),
        megabytes(bytes.ours),
        megabytes(bytes.nix),
      ];
      return `| ${cells.join(" | ")} |`;
    }),
    "",
    ...(bare === undefined ? [] : bareLines(bare)),
    `Reading ${local.files} local files through a mount that nobody has looked at yet, while eight programs wait for an`,
    `upstream that never answers: ${seconds(local.on)} s; without them ${seconds(local.off)} s. Ratio ` +
      `${localRatio.toFixed(2)}, ${verdict(localRatio, LOCAL_RATIO_MAX)}.`,
    "",
  ].join("\n");
}

function bareLines({ node, nix }: Bare): string[] {
  const ratio = medianRatio(node, nix).toFixed(2);
  return [
    "How much of the time with zstd is Node's: a program that fetches, decompresses, hashes and writes the NARs of the same",
    `closure, one file each, and does nothing else with them (\`bench/substitute/bare-node.ts\`), takes ${seconds(node)} s where Nix`,
    `takes ${seconds(nix)} s in turn with it, ratio ${ratio}.`,
    "",
  ];
}

function verdict(ratio: number, ratioMax: number | undefined): string {
  if (ratioMax === undefined) return "–";
  return `at most ${ratioMax}: ${ratio <= ratioMax ? "met" : "**not met**"}`;
}

function seconds(timesMs: readonly number[]): string {
  return (median(timesMs) / 1000).toFixed(2);
}

function megabytes(bytes: number): string {
  return (bytes / 1e6).toFixed(1);
}
