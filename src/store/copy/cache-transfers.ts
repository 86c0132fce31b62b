/**
 * Store paths of binary caches on their way into a store.
 */
import { toHex } from "../../base/bytes.js";
import { StoreError } from "../../base/errors.js";
import type { CallOptions } from "../../castore/blob/service.js";
import type { Narinfo } from "../narinfo/narinfo.js";
import type { SubstitutingPathInfoService } from "../path-info/substituting.js";
import { referencesFirst } from "../references-first.js";
import { planClosure, type Root } from "../substitution/closure-plan.js";
import type { AddOptions, Moved } from "./target.js";
import type { Transfer } from "./transfer.js";

export interface CacheTransferOptions extends CallOptions {
  /** Whether all that the roots refer to comes along. */
  readonly recursive: boolean;
}

/**
 * What it takes to have `roots` in the store that stands before the caches: nothing for paths that are there.
 *
 * @throws {StoreError} `not-found` for a root that is nowhere; as `planClosure`.
 */
export async function cacheTransfers(
  roots: readonly Root[],
  caches: SubstitutingPathInfoService,
  { recursive, ...options }: CacheTransferOptions,
): Promise<Transfer[]> {
  const describe = async (hash: Uint8Array, call: CallOptions) => {
    const found = await caches.describe(hash, call);
    if (recursive || found === undefined) return found;
    // Without its references, the closure of a path is the path.
    return "narinfo" in found
      ? { ...found, narinfo: { ...found.narinfo, references: [] } }
      : { ...found, references: [] };
  };
  const { missing } = await planClosure(roots, describe, options);
  const narinfos = referencesFirst(missing.map(({ narinfo }) => narinfo));
  return narinfos.map((narinfo) => transferOf(narinfo, caches));
}

function transferOf(narinfo: Narinfo, caches: SubstitutingPathInfoService): Transfer {
  const { storePath, references } = narinfo;
  return {
    storePath,
    references: references.filter((each) => !each.equals(storePath)),
    // What comes is the file.
    narSize: narinfo.fileSize ?? narinfo.narSize,
    isPresent: async () => false,
    move: (options) => fetch(narinfo, caches, options),
  };
}

/** A path is fetched and becomes visible in one step: it waits for its references before. */
async function fetch(
  { storePath }: Narinfo,
  caches: SubstitutingPathInfoService,
  { signal, onBytes, referencesDone }: AddOptions,
): Promise<Moved> {
  await referencesDone;
  const key = toHex(storePath.hash);
  let bytes = 0;
  const stopListening = caches.onReceived((hash, count) => {
    if (hash !== key) return;
    bytes += count;
    onBytes(count);
  });
  try {
    if ((await caches.getWhole(storePath.hash, { signal })) !== undefined) return { bytes };
    throw new StoreError("not-found", `${storePath} is no longer in the binary cache`);
  } finally {
    stopListening();
  }
}
