/**
 * Fetching whole closures before anyone looks at them.
 */
import { expectBulk, prepareForBulk } from "../base/bulk-memory.js";
import { toHex } from "../base/bytes.js";
import { TaskPool } from "../base/concurrency.js";
import { StoreError } from "../base/errors.js";
import type { CallOptions } from "../castore/blob/service.js";
import type { SubstitutingPathInfoService } from "../store/path-info/substituting.js";
import type { StorePathReference } from "../store/store-path-reference.js";
import { type ClosurePlan, planClosure, rootOf } from "../store/substitution/closure-plan.js";
import type { Offer } from "../store/substitution/upstream.js";
import type { Progress } from "./progress-bar.js";

/** NARs on their way at once: many wait for the disk together, and are written together. */
const DOWNLOADS_MAX = 8;

/** @throws {StoreError} as `planClosure`. */
export async function planPrefetch(
  references: readonly StorePathReference[],
  substitution: SubstitutingPathInfoService,
  options: CallOptions = {},
): Promise<ClosurePlan> {
  prepareForBulk();
  const describe = substitution.describe.bind(substitution);
  return await planClosure(references.map(rootOf), describe, options);
}

/**
 * Fetches what `plan` says is missing, several at once. Progress is in paths, and in bytes of a cache's files as
 * they are sent.
 *
 * @throws {StoreError} the first failure, after those that were under way have ended.
 */
export async function runPrefetch(
  { missing, downloadBytes }: ClosurePlan,
  substitution: SubstitutingPathInfoService,
  onProgress: (progress: Progress) => void,
  { signal }: CallOptions = {},
): Promise<void> {
  expectBulk(downloadBytes);
  const wanted = new Set(missing.map(({ narinfo }) => toHex(narinfo.storePath.hash)));
  let count = 0;
  let bytes = 0;
  const stopListening = substitution.onReceived((hash, received) => {
    if (!wanted.has(hash)) return;
    bytes += received;
    onProgress({ count, bytes });
  });
  const pool = new TaskPool(DOWNLOADS_MAX);
  try {
    for (const { narinfo } of missing.toSorted(largestFirst)) {
      await pool.ready();
      const fetching = pool.run(async () => {
        const found = await substitution.getWhole(narinfo.storePath.hash, signal && { signal });
        if (found === undefined) throw vanished(String(narinfo.storePath));
        count++;
        onProgress({ count, bytes });
      });
      // The pool remembers it.
      fetching.catch(() => {});
    }
  } finally {
    await pool.settle();
    stopListening();
  }
  await pool.ready();
}

/** One that begins last is alone at the end, and uses one processor. */
function largestFirst(a: Offer, b: Offer): number {
  return Number(b.narinfo.narSize - a.narinfo.narSize);
}

function vanished(path: string): StoreError {
  return new StoreError("unavailable", `${path} was offered, and is gone`);
}
