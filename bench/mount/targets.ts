/**
 * What was promised, as ratios within one run, and whether it was kept.
 */
import { coldMetrics, warmMetrics } from "./metrics.js";
import { digits, type Results } from "./results.js";

export interface Verdict {
  readonly target: string;
  readonly measured: string;
  /** `undefined` when it could not be measured here. */
  readonly met: boolean | undefined;
}

const KERNEL = "kernel";
const DISK = "disk";
/** What is served by the kernel's caches is equal but for noise. */
const LEVEL = 0.95;

export function verdicts(results: Results): readonly Verdict[] {
  const time = (target: string, state: "warm" | "mount-cold", metric: string, limit: number) => {
    const ratio = 1 / results.speed(state, metric, KERNEL, DISK);
    return verdict(`${target}: at most ${limit}× the disk tree's time`, ratio, ratio <= limit);
  };
  const speed = (
    target: string,
    state: "mount-cold" | "all-cold",
    metric: string,
    { of = KERNEL, to, limit }: { of?: string; to: string; limit: number },
  ) => {
    const ratio = results.speed(state, metric, of, to);
    const other = to === DISK ? "the disk tree" : "fuse-native";
    return verdict(`${target}: at least ${limit}× as fast as ${other}`, ratio, ratio >= limit);
  };
  const sequential = ["sequential-1m", "sequential-128k"] as const;
  const blocks = { "sequential-1m": "1 MiB", "sequential-128k": "128 KiB" } as const;
  return [
    time("warm walk", "warm", "walk", 1.1),
    time("warm small files", "warm", "small", 1.1),
    time("warm open", "warm", "open", 1.1),
    time("warm start of a small program", "warm", "program", 1.1),
    time("warm start of Node", "warm", "node", 1.1),
    ...sequential.map((metric) =>
      speed(`sequential, ${blocks[metric]}, mount cold`, "mount-cold", metric, {
        to: DISK,
        limit: 0.3,
      }),
    ),
    ...sequential.map((metric) =>
      speed(`the same with passthrough, ${blocks[metric]}`, "mount-cold", metric, {
        of: "passthrough",
        to: DISK,
        limit: 0.9,
      }),
    ),
    ...sequential.map((metric) =>
      speed(`sequential, ${blocks[metric]}, all cold`, "all-cold", metric, {
        to: DISK,
        limit: 0.8,
      }),
    ),
    time("walk, mount cold", "mount-cold", "walk", 5),
    speed("small files, mount cold", "mount-cold", "small", { to: "fuse-native", limit: 2 }),
    speed("random reads, 4 readers, mount cold", "mount-cold", "random-4", {
      to: "fuse-native",
      limit: 2,
    }),
    aheadOfSquashfuse(results, "data, mount cold", "mount-cold", DATA),
    aheadOfSquashfuse(results, "data, all cold", "all-cold", DATA),
    aheadOfSquashfuse(results, "warm", "warm", warmMetrics),
  ];
}

const DATA = coldMetrics(1).filter(({ id }) => /^(small|random|sequential)/.test(id));

/** Judged by where the kernel engine does worst. */
function aheadOfSquashfuse(
  results: Results,
  target: string,
  state: "warm" | "mount-cold" | "all-cold",
  metrics: readonly { readonly id: string; readonly title: string }[],
): Verdict {
  const measured = metrics
    .map(({ id, title }) => ({ title, ratio: results.speed(state, id, KERNEL, "squashfuse") }))
    .filter(({ ratio }) => !Number.isNaN(ratio))
    .sort((a, b) => a.ratio - b.ratio);
  const [worst] = measured;
  const best = measured.at(-1);
  const text = `${target}: as fast as squashfuse or faster (at least ${LEVEL}×)`;
  if (worst === undefined || best === undefined) return verdict(text, Number.NaN, false);
  return {
    target: text,
    measured: `${digits(worst.ratio)}× (${worst.title}) to ${digits(best.ratio)}× (${best.title})`,
    met: worst.ratio >= LEVEL,
  };
}

function verdict(target: string, ratio: number, met: boolean): Verdict {
  if (Number.isNaN(ratio)) return { target, measured: "not measured", met: undefined };
  return { target, measured: `${digits(ratio)}×`, met };
}
