/**
 * docs/bench/mount.md.
 */
import { pressureLines } from "../support/machine.js";
import type { Absence } from "./contenders.js";
import type { Row, State } from "./measure.js";
import { digits, type Results, shownMedian } from "./results.js";
import { verdicts } from "./targets.js";

const STATES: readonly { readonly state: State; readonly title: string; readonly text: string }[] =
  [
    {
      state: "mount-cold",
      title: "The mount cold, what lies behind it in the page cache",
      text:
        "Isolates the engine. Each contender is mounted anew, so that the kernel knows nothing of it and a server " +
        "has just started; its store or image has been read once, so that no disk is waited for. For sequential " +
        "reads the pages of the file are dropped from the mount's cache again. The disk tree has no mount that " +
        "could be cold: its names and pages are all cached, which is the strictest thing to compare with.",
    },
    {
      state: "all-cold",
      title: "Every cache dropped",
      text:
        "As after a start of the machine: pages, names and inodes of all file systems are dropped before each " +
        "line, those of the disk tree too; servers have just started.",
    },
    {
      state: "warm",
      title: "Warm",
      text:
        "Everything has been looked at before. A forced stat " +
        "is a statx(2) that asks the server even though the kernel knows the answer: requests per second.",
    },
    {
      state: "memory",
      title: "Memory of the server",
      text:
        "After the first table, MB. RssAnon is what the process has for itself; VmRSS counts pages of files that " +
        "it has mapped, too: the program, and the index, which is page cache.",
    },
  ];

export interface ReportContext {
  readonly machine: string;
  readonly versions: string;
  readonly rounds: { readonly cold: number; readonly warm: number };
  readonly absent: readonly Absence[];
  /** Percent of the time that programs waited for a core, while this ran. */
  readonly cpuPressure: number;
}

export function report(results: Results, context: ReportContext): string {
  const { machine, versions, rounds, absent, cpuPressure } = context;
  return [
    "# Mount engines side by side",
    "",
    "Written by `make bench-mount`. Every number is from one run on one generated tree: two folders of 10,000 files of",
    "4 KiB, a file of 1 GiB, two programs; the content cannot be compressed. All are mounted at once and take turns at",
    "each line (A B C, C B A, …), so that what is compared was measured within seconds;",
    `numbers are medians of ${rounds.cold} rounds, warm ones of ${rounds.warm}. In brackets: how many times as fast as the disk tree, the`,
    "median of the ratios within each round; 0.50 means it takes twice as long. The measuring program is C",
    "(`bench/mount/client.c`).",
    "",
    `Machine: ${machine}. ${versions}.`,
    ...pressureLines(cpuPressure),
    "",
    "squashfuse is `squashfuse_ll`, in C, the quicker of the two programs of that name; the image is not compressed,",
    "which is the fastest it can be. The kernel's squashfs, of the same image on a loop device, shows where the end is.",
    ...absent.map(({ title, reason }) => `\n**Not measured here: ${title}** (${reason}).`),
    "",
    "![How fast each contender is against the disk tree](mount.svg)",
    ...STATES.flatMap(({ state, title, text }) => {
      const rows = results.rowsOf(state);
      return rows.length === 0 ? [] : ["", `## ${title}`, "", text, "", ...table(results, rows)];
    }),
    "",
    "## Targets",
    "",
    "For the kernel engine, unless passthrough is named. [Where the time goes](mount-profile.md) explains what is not met.",
    "",
    "| target | measured | |",
    "|---|---|---|",
    ...verdicts(results).map(
      ({ target, measured, met }) =>
        `| ${target} | ${measured} | ${met === undefined ? "–" : met ? "met" : "**not met**"} |`,
    ),
    "",
  ].join("\n");
}

function table(results: Results, rows: readonly Row[]): string[] {
  const contenders = results.contenders.filter(({ id }) => rows.some((row) => row.values.has(id)));
  const isMemory = rows[0]?.state === "memory";
  const compared = results.has("fuse-native") && !isMemory;
  const head = [
    "",
    ...contenders.map(({ title }) => title),
    ...(compared ? ["kernel engine against fuse-native"] : []),
  ];
  return [
    `| ${head.join(" | ")} |`,
    `|---|${"---:|".repeat(head.length - 1)}`,
    ...rows.map((row) => {
      const { id: metric, title, unit } = row.metric;
      const speed = (one: string, other: string) => results.speed(row.state, metric, one, other);
      const cells = contenders.map(({ id }) => {
        const value = shownMedian(row, id);
        const ratio = speed(id, "disk");
        return id === "disk" || Number.isNaN(ratio) ? value : `${value} (${digits(ratio)})`;
      });
      const against = compared ? [`${digits(speed("kernel", "fuse-native"))}×`] : [];
      return `| ${[`${title}, ${unit}`, ...cells, ...against].join(" | ")} |`;
    }),
  ];
}
