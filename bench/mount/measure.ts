/**
 * The measuring itself: which contender is asked what, in which state, in which order.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { setImmediate as nextTurn } from "node:timers/promises";
import { run } from "../support/run.js";
import { inTurn } from "../support/statistics.js";
import { dropCaches, warm } from "./caches.js";
import type { Contender, Shown } from "./contenders.js";
import { coldMetrics, type Metric, warmMetrics } from "./metrics.js";
import { BIG } from "./tree.js";

/**
 * `mount-cold`: the mount is new, what lies behind it is in the page cache. `all-cold`: nothing is in any
 * cache. `warm`: everything has been looked at before. `memory`: bytes, after the `mount-cold` metrics.
 */
export type State = "mount-cold" | "all-cold" | "warm" | "memory";

/** All values of one kind: seconds per piece of work, by contender, one for each round. */
export interface Row {
  readonly state: State;
  readonly metric: Pick<Metric, "id" | "title" | "unit"> | MemoryMetric;
  readonly values: Map<string, number[]>;
}

export interface MemoryMetric {
  readonly id: "rss" | "rss-anon";
  readonly title: string;
  readonly unit: "MB";
}

const MEMORY: readonly { readonly metric: MemoryMetric; readonly field: string }[] = [
  {
    metric: { id: "rss-anon", title: "memory of its own (RssAnon)", unit: "MB" },
    field: "RssAnon",
  },
  { metric: { id: "rss", title: "resident memory (VmRSS)", unit: "MB" }, field: "VmRSS" },
];

/** More than a measurement fills caches with: twice the big file, or a little. */
const TOUCHED_BYTES = { big: 2.25 * 2 ** 30, little: 256 * 2 ** 20 };
/** How much longer random reads go on where no disk is waited for. */
const PAGE_CACHE_SCALE = 5;

export class Measurement {
  readonly #client: string;
  readonly #contenders: readonly Contender[];
  readonly #rows = new Map<string, Row>();
  readonly #say: (text: string) => void;

  constructor(client: string, contenders: readonly Contender[], say: (text: string) => void) {
    this.#client = client;
    this.#contenders = contenders;
    this.#say = say;
  }

  get rows(): readonly Row[] {
    return [...this.#rows.values()];
  }

  /**
   * Every round mounts all contenders anew; at each metric they take turns, so that what is compared was
   * measured within seconds.
   */
  async mountCold(rounds: number): Promise<void> {
    for (let round = 0; round < rounds; round++) {
      this.#say(`mount cold, round ${round + 1} of ${rounds}`);
      await this.#withAll(async (all) => {
        for (const metric of coldMetrics(PAGE_CACHE_SCALE)) {
          for (const { contender, place } of inTurn(all, round)) {
            // The tree on disk is its own backing: dropping its pages would make it as cold as it gets.
            if (metric.readsBig && contender.id !== "disk") {
              run(this.#client, ["forget", join(place.tree, BIG)]);
            }
            // Each time: a kernel that reclaims early has dropped it while the others were measured.
            for (const path of contender.backing) warm(path);
            this.#touchMemory(metric);
            this.#note("mount-cold", metric, contender, await this.#ask(metric, place.tree));
          }
        }
        for (const { contender, place } of all) this.#noteMemory(contender, place);
      });
    }
  }

  /** As {@link mountCold}, and with nothing in any cache before each measurement. */
  async allCold(rounds: number): Promise<void> {
    for (let round = 0; round < rounds; round++) {
      this.#say(`all cold, round ${round + 1} of ${rounds}`);
      await this.#withAll(async (all) => {
        for (const metric of coldMetrics(1)) {
          for (const { contender, place } of inTurn(all, round)) {
            dropCaches();
            this.#touchMemory(metric);
            this.#note("all-cold", metric, contender, await this.#ask(metric, place.tree));
          }
        }
      });
    }
  }

  async warm(rounds: number): Promise<void> {
    this.#say(`warm, ${rounds} rounds`);
    await this.#withAll(async (all) => {
      for (const metric of warmMetrics) {
        // The first two rounds warm the caches, and the servers, up.
        for (let round = -2; round < rounds; round++) {
          for (const { contender, place } of inTurn(all, round)) {
            if (metric.asksServer && place.server === undefined) continue;
            const value = await this.#ask(metric, place.tree);
            if (round >= 0) this.#note("warm", metric, contender, value);
          }
        }
      }
    });
  }

  async #withAll(
    use: (
      all: readonly { readonly contender: Contender; readonly place: Shown }[],
    ) => Promise<void>,
  ): Promise<void> {
    const all: { readonly contender: Contender; readonly place: Shown }[] = [];
    try {
      for (const contender of this.#contenders) {
        all.push({ contender, place: await contender.show() });
      }
      await use(all);
    } finally {
      for (const { place } of all) await place.stop();
    }
  }

  /**
   * The host of a virtual machine may have taken back memory that lay free; until a page was touched
   * again, the first use of it costs more than everything measured here.
   */
  #touchMemory({ readsBig = false }: Metric): void {
    run(this.#client, ["touch", String(TOUCHED_BYTES[readsBig ? "big" : "little"])]);
  }

  /** Seconds per piece of work. */
  async #ask(metric: Metric, tree: string): Promise<number> {
    // Programs are waited for without the event loop: signals are heard here.
    await nextTurn();
    const [work, seconds] = run(this.#client, metric.command(tree)).split(" ").map(Number);
    if (work === undefined || seconds === undefined) throw new Error("client.c said nothing");
    return metric.unit === "ms" ? seconds : seconds / work;
  }

  #noteMemory(contender: Contender, { server }: Shown): void {
    if (server === undefined) return;
    const status = readFileSync(`/proc/${server}/status`, "utf8");
    for (const { metric, field } of MEMORY) {
      const kib = new RegExp(`^${field}:\\s+(\\d+) kB$`, "m").exec(status)?.[1];
      this.#note("memory", metric, contender, Number(kib) * 1024);
    }
  }

  #note(state: State, metric: Row["metric"], contender: Contender, value: number): void {
    const key = `${state} ${metric.id}`;
    const row = this.#rows.get(key) ?? { state, metric, values: new Map<string, number[]>() };
    this.#rows.set(key, row);
    const values = row.values.get(contender.id) ?? [];
    row.values.set(contender.id, values);
    values.push(value);
  }
}
