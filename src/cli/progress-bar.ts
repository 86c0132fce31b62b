/**
 * One progress bar on a terminal: bytes, and how many of something.
 */
import type { SingleBar } from "cli-progress";
import { readableSize } from "../base/readable-size.js";
import { require } from "../base/require.js";

const REDRAW_MS = 100;

export interface Progress {
  /** Files, paths: whatever the bar was told to call them. */
  readonly count: number;
  readonly bytes: number;
}

/** Shows nothing unless stderr is a terminal. */
export class ProgressBar {
  readonly #bar: SingleBar | undefined;
  #total: Progress | undefined;
  #latest: Progress = { count: 0, bytes: 0 };
  #drawnMs = 0;

  /** `total` can be set later, too: a bar without one stays empty. */
  constructor(title: string, noun: string, total?: Progress) {
    this.#total = total;
    if (!process.stderr.isTTY) return;
    const { SingleBar } = require("cli-progress") as typeof import("cli-progress");
    this.#bar = new SingleBar({
      stream: process.stderr,
      format: `${title} [{bar}] {bytes} of {bytesAll}, {count} of {countAll} ${noun}`,
      barsize: 24,
      hideCursor: true,
    });
    this.#bar.start(1, 0, this.#texts());
  }

  set total(total: Progress) {
    this.#total = total;
  }

  update(progress: Progress): void {
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
    // What is empty is full from the start. A download that had to begin anew must not overrun the bar.
    this.#bar?.setTotal(all || 1);
    this.#bar?.update(
      all === undefined ? 0 : Math.min(this.#latest.bytes, all) || 1,
      this.#texts(),
    );
  }

  #texts() {
    return {
      bytes: readableSize(this.#latest.bytes),
      bytesAll: this.#total === undefined ? "…" : readableSize(this.#total.bytes),
      count: this.#latest.count,
      countAll: this.#total?.count ?? "…",
    };
  }
}
