/**
 * How a copy goes, on a terminal: a bar for each path under way and one for all.
 */
import { MultiBar, type SingleBar } from "cli-progress";
import { readableSize } from "../base/readable-size.js";
import type { Transfer, TransferObserver } from "../store/copy/transfer.js";

/** Shows nothing unless stderr is a terminal. */
export class CopyProgress implements TransferObserver {
  readonly #bars: MultiBar | undefined;
  readonly #open = new Map<Transfer, { readonly bar: SingleBar; bytes: number }>();
  #total: SingleBar | undefined;
  #bytes = 0;
  #paths = 0;
  #pathsDone = 0;

  constructor() {
    if (!process.stderr.isTTY) return;
    this.#bars = new MultiBar({
      stream: process.stderr,
      format: "[{bar}] {done} of {all}  {title}",
      barsize: 24,
      hideCursor: true,
      clearOnComplete: true,
    });
  }

  onPlan(missing: readonly Transfer[]): void {
    this.#paths = missing.length;
    if (missing.length === 0) return;
    const bytes = missing.reduce((sum, { narSize }) => sum + Number(narSize ?? 0n), 0);
    this.#total = this.#bars?.create(bytes || 1, 0, this.#texts(bytes));
  }

  onBytes(transfer: Transfer, count: number): void {
    if (this.#bars === undefined) return;
    const all = Number(transfer.narSize ?? 0n);
    let open = this.#open.get(transfer);
    if (open === undefined) {
      const texts = {
        done: readableSize(0),
        all: readableSize(all),
        title: transfer.storePath.name,
      };
      open = { bar: this.#bars.create(all || 1, 0, texts), bytes: 0 };
      this.#open.set(transfer, open);
    }
    open.bytes += count;
    open.bar.update(Math.min(open.bytes, all), { done: readableSize(open.bytes) });
    this.#bytes += count;
    this.#draw();
  }

  onDone(transfer: Transfer): void {
    this.#pathsDone++;
    const open = this.#open.get(transfer);
    if (open !== undefined) this.#bars?.remove(open.bar);
    this.#open.delete(transfer);
    // Names and frames of the NAR are no contents: what is done counts whole.
    this.#bytes += Number(transfer.narSize ?? 0n) - (open?.bytes ?? 0);
    this.#draw();
  }

  stop(): void {
    this.#bars?.stop();
  }

  #draw(): void {
    const all = this.#total?.getTotal() ?? 0;
    this.#total?.update(Math.min(this.#bytes, all), this.#texts(all));
  }

  #texts(all: number) {
    return {
      done: readableSize(this.#bytes),
      all: readableSize(all),
      title: `${this.#pathsDone} of ${this.#paths} paths`,
    };
  }
}
