import { readdirSync } from "node:fs";
import { loadSystemLibrary } from "./system-library.js";
import { setFlagWhenLoaded } from "./v8-flags.js";

const SCHED_OTHER = 0;
const SCHED_BATCH = 3;
/** `struct sched_param`: the priority, which this policy has none of. */
const PARAMETERS = Buffer.alloc(4);

/** How much a function has to run, in bytes of its bytecode, before V8 optimizes it: fifteen times as much as usual. */
const INTERRUPT_BUDGET = 1_000_000;

interface Scheduler {
  readonly sched_getscheduler: (thread: number) => number;
  readonly sched_setscheduler: (thread: number, policy: number, parameters: Buffer) => number;
}

const PROTOTYPES = {
  sched_getscheduler: "int sched_getscheduler(int thread)",
  sched_setscheduler: "int sched_setscheduler(int thread, int policy, void *parameters)",
} as const;

/**
 * For programs that only have to be done soon, in seconds. Left to themselves
 *
 * - the kernel lets a thread that is given work, such as to write a piece of a file, push aside the one that gives it,
 *   which has more to give. Now whichever thread of this process has a processor keeps it for its slice, and so do
 *   threads that come later;
 * - V8 takes a sixth of the processor's time to optimize functions that are hardly called any more when it is done.
 */
export function runAsBatch(): void {
  setFlagWhenLoaded(`--interrupt-budget=${INTERRUPT_BUDGET}`);
  // It is only about speed: where it cannot be had, all is as before.
  const scheduler = loadSystemLibrary<Scheduler>(null, PROTOTYPES)?.functions;
  // Another policy is somebody's choice.
  if (scheduler?.sched_getscheduler(0) !== SCHED_OTHER) return;
  for (const thread of readdirSync("/proc/self/task")) {
    scheduler.sched_setscheduler(Number(thread), SCHED_BATCH, PARAMETERS);
  }
}
