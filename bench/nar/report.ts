/**
 * docs/bench/nar.md.
 */
import { pressureLines } from "../support/machine.js";
import { median, medianRatio } from "../support/statistics.js";
import type { Line } from "./lines.js";

/** Milliseconds of each round. */
export interface Times {
  readonly line: Line;
  readonly nix: number[];
  readonly ours: number[];
  readonly started: number[];
}

export interface ReportContext {
  readonly machine: string;
  readonly nixVersion: string;
  readonly rounds: number;
  /** What Nix takes for next to nothing: its start. */
  readonly nixStartMs: number;
  /** Percent of the time that programs waited for a core, while this ran. */
  readonly cpuPressure: number;
}

export function report(times: readonly Times[], context: ReportContext): string {
  const { machine, nixVersion, rounds, nixStartMs, cpuPressure } = context;
  return [
    "# NARs beside Nix",
    "",
    "Written by `make bench-nar`. Every number is from one run: Nix, `tvix-store` and a process of ours that has been",
    `running do each line in turn (A B C, C B A, …); times are medians of ${rounds} rounds, ratios medians of those within`,
    "each round: 2.00 means twice as fast as Nix. Nix reads the tree from the disk, we read it from the store, where its",
    "content is checked against its digests; files are in the page cache. Pipes end in `cat > /dev/null`.",
    `Without process start means less the ${nixStartMs.toFixed(0)} ms that Nix takes for an empty file.`,
    "",
    `Machine: ${machine}. ${nixVersion}.`,
    ...pressureLines(cpuPressure),
    "",
    "|  | Nix, ms | tvix-store, ms | | without process start, ms | | target |",
    "|---|---:|---:|---:|---:|---:|---|",
    ...times.map((each) => row(each, nixStartMs)),
    "",
    "[Where the time goes](nar-profile.md).",
    "",
  ].join("\n");
}

function row({ line, nix, ours, started }: Times, nixStartMs: number): string {
  const whole = medianRatio(nix, ours);
  const inside = medianRatio(
    nix.map((ms) => ms - nixStartMs),
    started,
  );
  const verdicts = [
    verdict("process", whole, line.target.process),
    verdict("without start", inside, line.target.started),
  ].filter((text) => text !== "");
  const cells = [line.title, ms(nix), ms(ours), times(whole), ms(started), times(inside)];
  return `| ${[...cells, verdicts.join(", ") || "–"].join(" | ")} |`;
}

function verdict(what: string, ratio: number, target: number | undefined): string {
  if (target === undefined) return "";
  return `${what} ${times(target)}: ${ratio >= target ? "met" : "**not met**"}`;
}

const ms = (values: readonly number[]): string => median(values).toFixed(0);
const times = (ratio: number): string => `${ratio.toFixed(2)}×`;
