/**
 * What is measured: one call of client.c each.
 */
import { join } from "node:path";
import { BIG, BIG_BYTES, CLIENT, NODE, READ, WALKED } from "./tree.js";

/** How a number is shown: as a time, or as work per time. */
export type Unit = "ms" | "MB/s" | "op/s";

export interface Metric {
  readonly id: string;
  readonly title: string;
  readonly unit: Unit;
  /** The arguments of client.c for the tree at `tree`. */
  readonly command: (tree: string) => readonly string[];
  /** Whether the pages of the big file must be dropped first, where a mount is cold. */
  readonly readsBig?: boolean;
  /** Whether it counts requests to a server: nothing to be measured where there is none. */
  readonly asksServer?: boolean;
}

const KIB = 1024;

function sequential(id: string, title: string, blockBytes: number): Metric {
  return {
    id,
    title,
    unit: "MB/s",
    command: (tree) => ["sequential", join(tree, BIG), String(blockBytes)],
    readsBig: true,
  };
}

/** Random reads of the first or the second half of the big file, so that no two metrics share a page. */
function random(readers: number, reads: number, half: 0 | 1): Metric {
  const from = (half * BIG_BYTES) / 2;
  return {
    id: `random-${readers}`,
    title: `random 4 KiB reads, ${readers === 1 ? "1 reader" : `${readers} readers`}`,
    unit: "op/s",
    command: (tree) => [
      "random",
      join(tree, BIG),
      ...[readers, reads, from, from + BIG_BYTES / 2].map(String),
    ],
  };
}

function requests(readers: number, calls: number): Metric {
  return {
    id: `stat-${readers}`,
    title: `forced stat, ${readers === 1 ? "1 reader" : `${readers} readers`}`,
    unit: "op/s",
    command: (tree) => ["stat", join(tree, CLIENT), String(readers), String(calls)],
    asksServer: true,
  };
}

function program(id: string, title: string, runs: number, path: string, ...args: string[]): Metric {
  return {
    id,
    title,
    unit: "ms",
    command: (tree) => ["spawn", String(runs), join(tree, path), ...args],
  };
}

const walk: Metric = {
  id: "walk",
  title: "walk of 10,000 entries",
  unit: "ms",
  command: (tree) => ["walk", join(tree, WALKED)],
};

const small: Metric = {
  id: "small",
  title: "reading 10,000 files of 4 KiB",
  unit: "ms",
  command: (tree) => ["small", join(tree, READ)],
};

const open: Metric = {
  id: "open",
  title: "open and close",
  unit: "op/s",
  command: (tree) => ["open", join(tree, CLIENT), "30000"],
};

/** In this order on a mount that nothing has looked at. `scale` makes the random ones longer. */
export function coldMetrics(scale: number): readonly Metric[] {
  return [
    walk,
    small,
    program("program", "starting a small program", 1, CLIENT, "nothing"),
    program("node", "starting Node (99 MB)", 1, NODE, "-e", "0"),
    random(1, 2_000 * scale, 0),
    random(4, 1_000 * scale, 1),
    sequential("sequential-1m", "sequential, blocks of 1 MiB", 1024 * KIB),
    sequential("sequential-128k", "sequential, blocks of 128 KiB", 128 * KIB),
  ];
}

export const warmMetrics: readonly Metric[] = [
  walk,
  small,
  program("program", "starting a small program", 100, CLIENT, "nothing"),
  program("node", "starting Node (99 MB)", 3, NODE, "-e", "0"),
  open,
  sequential("sequential-1m", "sequential, blocks of 1 MiB", 1024 * KIB),
  requests(1, 4_000),
  requests(8, 1_000),
];
