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

/** Lines of a report that say how busy the machine was with other things; none when it was not, or cannot tell. */
export function pressureLines(percent: number): readonly string[] {
  if (!(percent >= 1)) return [];
  const share = Math.round(percent);
  return [`Other programs were running: for ${share} % of the time something waited for a core.`];
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
