/**
 * Many store paths on their way, in an order that leaves no hole whenever it is interrupted.
 */
import { setMaxListeners } from "node:events";
import { expectBulk } from "../../base/bulk-memory.js";
import { mapOrdered, TaskPool } from "../../base/concurrency.js";
import { StoreError } from "../../base/errors.js";
import type { StorePath } from "../store-path.js";
import type { AddOptions, Moved } from "./target.js";

/** Paths under way at once. Most of the parallelism is within one. */
const PATHS_MAX = 4;
/** Paths that are looked up at once. */
const QUESTIONS_MAX = 32;

/** One store path that is to be in the target. */
export interface Transfer {
  readonly storePath: StorePath;
  readonly references: readonly StorePath[];
  /** `undefined` when only moving it will tell. */
  readonly narSize: bigint | undefined;
  isPresent(): Promise<boolean>;
  move(options: AddOptions): Promise<Moved>;
}

export interface TransferResult {
  readonly storePath: StorePath;
  /** `undefined` for one that was there. */
  readonly moved: Moved | undefined;
}

/** Hears how it goes. */
export interface TransferObserver {
  /** What there is to do, before the first of it. */
  onPlan(missing: readonly Transfer[]): void;
  onBytes(transfer: Transfer, count: number): void;
  onDone(transfer: Transfer): void;
}

/**
 * Moves those of `transfers` that are not there, which come after what they refer to. A path becomes visible
 * after its references; so what there is at any time has no holes, and doing it again does the rest. The
 * first failure stops the others, waits for them, and is thrown.
 *
 * @returns a result for each, in their order.
 */
export async function runTransfers(
  transfers: Iterable<Transfer> | AsyncIterable<Transfer>,
  observer: TransferObserver,
  signal: AbortSignal,
): Promise<TransferResult[]> {
  const results: TransferResult[] = [];
  const missing: Transfer[] = [];
  const looked = mapOrdered(transfers, QUESTIONS_MAX, async (transfer) => {
    signal.throwIfAborted();
    return { transfer, isPresent: await transfer.isPresent() };
  });
  const places = new Map<Transfer, number>();
  for await (const { transfer, isPresent } of looked) {
    places.set(transfer, results.length);
    results.push({ storePath: transfer.storePath, moved: undefined });
    if (!isPresent) missing.push(transfer);
  }
  observer.onPlan(missing);
  expectBulk(missing.reduce((bytes, { narSize }) => bytes + Number(narSize ?? 0n), 0));

  const stop = new AbortController();
  const either = AbortSignal.any([signal, stop.signal]);
  // Every call under way listens to it.
  setMaxListeners(0, either);
  const pool = new TaskPool(PATHS_MAX);
  const started = new Map<string, Promise<Moved>>();
  try {
    for (const transfer of missing) {
      await pool.ready();
      const { storePath, references } = transfer;
      const before = references.flatMap((each) => started.get(each.basename) ?? []);
      const referencesDone = Promise.all(before);
      referencesDone.catch(() => {});
      const moving = pool.run(async () => {
        const onBytes = (count: number) => observer.onBytes(transfer, count);
        const moved = await transfer.move({ signal: either, onBytes, referencesDone });
        observer.onDone(transfer);
        results[places.get(transfer) as number] = { storePath, moved };
        return moved;
      });
      moving.catch(() => stop.abort(new StoreError("aborted", "Another path could not be copied")));
      started.set(storePath.basename, moving);
    }
  } finally {
    await pool.settle();
  }
  await pool.ready();
  return results;
}
