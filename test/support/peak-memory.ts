/**
 * How much memory a command takes at its worst.
 */
import { type Outcome, runProgram } from "./child.js";
import { CLI, type TestStore } from "./cli.js";
import { PYTHON } from "./python.js";

/** Runs a command, then writes the peak of its resident memory to stderr as a last line. */
const SCRIPT = `
import resource, subprocess, sys
status = subprocess.call(sys.argv[1:])
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss, file=sys.stderr)
sys.exit(status)
`;

export interface MeasuredOutcome extends Outcome {
  /** Peak of resident memory, in bytes. */
  readonly peakBytes: number;
}

/** As `store.run`, and measured. */
export async function measured(
  store: TestStore,
  args: readonly string[],
  timeoutMs: number,
): Promise<MeasuredOutcome> {
  const outcome = await runProgram(PYTHON, ["-c", SCRIPT, process.execPath, CLI, ...args], {
    env: store.environment,
    timeoutMs,
  });
  const [, stderr = "", peakKib = ""] = /^(.*?)(\d+)\n$/s.exec(outcome.stderr) ?? [];
  return { ...outcome, stderr, peakBytes: Number(peakKib) * 1024 };
}

export const PEAK_BYTES_MAX = 300_000_000;
