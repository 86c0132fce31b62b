/**
 * What a reader has to know of the machine to judge the numbers, and nothing that tells whose it is.
 */
import { readFileSync } from "node:fs";
import { cpus, release, totalmem } from "node:os";
import { run } from "./run.js";

export function describeMachine(folder: string): string {
  const kernel = /^\d+(\.\d+)*/.exec(release())?.[0] ?? "unknown";
  const virtual = /\bhypervisor\b/.test(readFileSync("/proc/cpuinfo", "utf8"));
  return [
    `${cpus().length} cores${virtual ? " (virtual)" : ""}`,
    `${Math.round(totalmem() / 2 ** 30)} GiB of memory`,
    `Linux ${kernel}`,
    `Node ${process.versions.node}`,
    `files on ${run("findmnt", ["-n", "-f", "-o", "FSTYPE", "-T", folder]).trim()}`,
  ].join(", ");
}

/** How much of the last five minutes runnable programs waited for a core, in percent; NaN when unknown. */
export function cpuPressure(): number {
  try {
    const text = readFileSync("/proc/pressure/cpu", "utf8");
    return Number(/^some .*avg300=([\d.]+)/m.exec(text)?.[1]);
  } catch {
    return Number.NaN;
  }
}
