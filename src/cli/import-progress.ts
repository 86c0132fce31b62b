/**
 * The progress bar of an import: bytes and files, of a total once the tree has been counted.
 */
import { SingleBar } from "cli-progress";
import { countTree } from "../store/import/count-tree.js";
import type { ImportProgress } from "../store/import/ingest.js";

const UNITS = ["B", "KiB", "MiB", "GiB", "TiB"];

const REDRAW_MS = 100;

/** Shows nothing unless stderr is a terminal. One bar at a time. */
export class ImportProgressBar {
  readonly #bar: SingleBar | undefined;
  #total: ImportProgress | undefined;
  #latest: ImportProgress = { entries: 0, bytes: 0 };
  #drawnMs = 0;

  /** Starts the bar and, beside the import, the counting. */
  constructor(title: string, path: Uint8Array) {
    if (!process.stderr.isTTY) return;
    this.#bar = new SingleBar({
      stream: process.stderr,
      format: `${title} [{bar}] {bytesDone} of {bytesAll}, {entriesDone} of {entriesAll} files`,
      barsize: 24,
      hideCursor: true,
    });
    this.#bar.start(1, 0, this.#texts());
    countTree(path).then(
      (total) => {
        this.#total = total;
      },
      // The import itself meets the same error and reports it.
      () => {},
    );
  }

  update(progress: ImportProgress): void {
    this.#latest = progress;
    const nowMs = performance.now();
    if (nowMs - this.#drawnMs < REDRAW_MS) return;
    this.#drawnMs = nowMs;
    this.#draw();
  }

  stop(): void {
    this.#draw();
    this.#bar?.stop();
  }

  #draw(): void {
    const all = this.#total?.bytes;
    // Without a total the bar stays empty; a tree of empty files is full from the start.
    this.#bar?.setTotal(all || 1);
    this.#bar?.update(
      all === undefined ? 0 : Math.min(this.#latest.bytes, all) || 1,
      this.#texts(),
    );
  }

  #texts() {
    return {
      bytesDone: formatBytes(this.#latest.bytes),
      bytesAll: this.#total === undefined ? "…" : formatBytes(this.#total.bytes),
      entriesDone: this.#latest.entries,
      entriesAll: this.#total?.entries ?? "…",
    };
  }
}

export function formatBytes(bytes: number): string {
  const power = Math.min(Math.floor(Math.log2(Math.max(bytes, 1)) / 10), UNITS.length - 1);
  return `${(bytes / 1024 ** power).toFixed(power === 0 ? 0 : 1)} ${UNITS[power]}`;
}
