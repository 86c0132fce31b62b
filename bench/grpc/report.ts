/**
 * docs/bench/grpc.md.
 */
import { pressureLines } from "../support/machine.js";
import { median, medianRatio } from "../support/statistics.js";
import type { Line } from "./lines.js";

export interface Measured {
  readonly line: Line;
  readonly transport: "tcp" | "unix";
  /** Rates in the unit of the line, one for each round. */
  readonly ours: number[];
  readonly bare: number[];
}

/** After a round. */
export interface MemoryState {
  readonly daemon: { readonly residentMib: number; readonly peakMib: number };
  readonly client: { readonly residentMib: number };
}

export interface ReportContext {
  readonly machine: string;
  readonly rounds: number;
  /** Percent of the time that programs waited for a core, while this ran. */
  readonly cpuPressure: number;
}

const TRANSPORTS = { tcp: "TCP", unix: "unix socket" } as const;

export function report(
  measured: readonly Measured[],
  memory: readonly MemoryState[],
  { machine, rounds, cpuPressure }: ReportContext,
): string {
  const [first] = memory;
  const last = memory.at(-1);
  const mib = (value: number | undefined) => Math.round(value ?? Number.NaN);
  return [
    "# The store over gRPC",
    "",
    "Written by `make bench-grpc`. A client in one process calls `tvix-store daemon` in another, then a bare grpc-js server",
    "that sends and takes as many messages of the same size and looks into none; they take turns at each line, and what is",
    "compared was measured within seconds. The bare client has the flow-control window of ours, its server what grpc-js",
    `comes with. Numbers are medians of ${rounds} rounds, the ratio is the median of the ratios within each round.`,
    "",
    "Ours does on top: BLAKE3 of all content on both sides, reading and writing files, protobuf. Each blob that is written is",
    "new, and removed when it has been measured. The store is in memory (tmpfs), so that no disk is waited for.",
    "",
    `Machine: ${machine}.`,
    ...pressureLines(cpuPressure),
    "",
    "| | over | tvix-store | bare grpc-js | ratio | target |",
    "|---|---|---:|---:|---:|---|",
    ...measured.map((each) => {
      const { line, transport, ours, bare } = each;
      const ratio = medianRatio(ours, bare);
      const verdict =
        line.target === undefined
          ? ""
          : `at least ${line.target}: ${ratio >= line.target ? "met" : "**not met**"}`;
      const cells = [
        `${line.title}, ${line.unit}`,
        TRANSPORTS[transport],
        rounded(median(ours)),
        rounded(median(bare)),
        ratio.toFixed(2),
        verdict,
      ];
      return `| ${cells.join(" | ")} |`;
    }),
    "",
    `Resident memory of the daemon after the first, warming round and after the last: ${mib(first?.daemon.residentMib)} and ` +
      `${mib(last?.daemon.residentMib)} MiB, at its worst ${mib(last?.daemon.peakMib)} MiB; of the client: ` +
      `${mib(first?.client.residentMib)} and ${mib(last?.client.residentMib)} MiB, the content to send among it.`,
    "",
  ].join("\n");
}

function rounded(rate: number): string {
  return rate >= 1000 ? `${(rate / 1000).toPrecision(3)}k` : rate.toPrecision(3);
}
