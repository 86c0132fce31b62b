/**
 * The progress bar of an import: bytes and files, of a total once the tree has been counted.
 */
import { SingleBar } from "cli-progress";
import { countTree } from "../store/import/count-tree.js";
import type { ImportProgress } from "../store/import/ingest.js";

const UNITS = ["B", "KiB", "MiB", "GiB", "TiB"];

/** Shows nothing unless stderr is a terminal. One bar at a time. */
export class ImportProgressBar {
  readonly #bar: SingleBar | undefined;
  #total: ImportProgress | undefined;

  /** Starts the bar and, beside the import, the counting. */
  constructor(title: string, path: Uint8Array) {
    if (!process.stderr.isTTY) return;
    this.#bar = new SingleBar({
      stream: process.stderr,
      format: `${title} [{bar}] {done} of {total} · {entries} of {allEntries} files`,
      barsize: 24,
      hideCursor: true,
      etaBuffer: 100,
    });
    this.#bar.start(1, 0, { done: "0 B", total: "…", entries: 0, allEntries: "…" });
    countTree(path).then(
      (total) => {
        this.#total = total;
      },
      // The import itself meets the same error and reports it.
      () => {},
    );
  }

  update(progress: ImportProgress): void {
    if (this.#bar === undefined) return;
    const total = this.#total;
    this.#bar.setTotal(Math.max(total?.bytes ?? 0, 1));
    this.#bar.update(total === undefined ? 0 : Math.min(progress.bytes, total.bytes), {
      done: formatBytes(progress.bytes),
      total: total === undefined ? "…" : formatBytes(total.bytes),
      entries: progress.entries,
      allEntries: total?.entries ?? "…",
    });
  }

  stop(): void {
    this.#bar?.stop();
  }
}

export function formatBytes(bytes: number): string {
  const power = Math.min(Math.floor(Math.log2(Math.max(bytes, 1)) / 10), UNITS.length - 1);
  return `${(bytes / 1024 ** power).toFixed(power === 0 ? 0 : 1)} ${UNITS[power]}`;
}
