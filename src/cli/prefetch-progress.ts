/**
 * The progress bar of a prefetch, whose totals are known before it starts.
 */
import { SingleBar } from "cli-progress";
import { formatBytes } from "./import-progress.js";
import type { PrefetchProgress } from "./prefetch.js";

const REDRAW_MS = 100;

/** Shows nothing unless stderr is a terminal. */
export class PrefetchProgressBar {
  readonly #bar: SingleBar | undefined;
  readonly #total: PrefetchProgress;
  #latest: PrefetchProgress = { paths: 0, bytes: 0 };
  #drawnMs = 0;

  constructor(total: PrefetchProgress) {
    this.#total = total;
    if (!process.stderr.isTTY || total.paths === 0) return;
    this.#bar = new SingleBar({
      stream: process.stderr,
      format: "fetching [{bar}] {bytesDone} of {bytesAll}, {pathsDone} of {pathsAll} paths",
      barsize: 24,
      hideCursor: true,
    });
    this.#bar.start(total.bytes || 1, 0, this.#texts());
  }

  update(progress: PrefetchProgress): void {
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
    // A download that had to begin anew must not overrun the bar.
    this.#bar?.update(Math.min(this.#latest.bytes, this.#total.bytes), this.#texts());
  }

  #texts() {
    return {
      bytesDone: formatBytes(this.#latest.bytes),
      bytesAll: formatBytes(this.#total.bytes),
      pathsDone: this.#latest.paths,
      pathsAll: this.#total.paths,
    };
  }
}
