/**
 * Questions to the measured values.
 */
import { median, medianRatio } from "../support/statistics.js";
import type { Contender } from "./contenders.js";
import type { Row, State } from "./measure.js";

export class Results {
  readonly contenders: readonly Contender[];
  readonly #rows: readonly Row[];

  constructor(contenders: readonly Contender[], rows: readonly Row[]) {
    this.contenders = contenders;
    this.#rows = rows;
  }

  rowsOf(state: State): readonly Row[] {
    return this.#rows.filter((row) => row.state === state);
  }

  has(contender: string): boolean {
    return this.contenders.some(({ id }) => id === contender);
  }

  /** How many times as fast `contender` is as `other`; NaN when one of them was not measured. */
  speed(state: State, metric: string, contender: string, other: string): number {
    const row = this.#rows.find((row) => row.state === state && row.metric.id === metric);
    return medianRatio(row?.values.get(other) ?? [], row?.values.get(contender) ?? []);
  }
}

/** How a row's values are shown: bigger numbers for rates, smaller ones for times. */
export function shownMedian(row: Row, contender: string): string {
  const value = median(row.values.get(contender) ?? []);
  if (Number.isNaN(value)) return "–";
  switch (row.metric.unit) {
    case "ms":
      return digits(value * 1000);
    case "MB/s":
      return digits(1 / value / 1e6);
    case "op/s":
      return `${digits(1 / value / 1000)}k`;
    case "MB":
      return digits(value / 1e6);
  }
}

/** Three digits, or all of a whole number. */
export function digits(value: number): string {
  if (Number.isNaN(value)) return "–";
  return value >= 100 ? Math.round(value).toString() : value.toPrecision(value < 1 ? 2 : 3);
}
