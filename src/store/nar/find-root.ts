/**
 * From the hash of a NAR to its content, without the NAR.
 */
import { equalBytes } from "../../base/bytes.js";
import { isStoreError } from "../../base/errors.js";
import type { CallOptions } from "../../castore/blob/service.js";
import type { NarRecord } from "../nar-record.js";
import type { NarCalculator } from "./calculation.js";
import type { NarRecords } from "./records.js";

/**
 * What the NAR with this SHA-256 (32 bytes) holds, when that is known and in the store. The record may come
 * from a path info that nobody vouches for, so the NAR is calculated from the content, which takes a
 * rendering unless it is known already. `undefined` when there is no record, it is wrong or damaged, or its
 * content is not all here.
 *
 * @throws {StoreError} what the services throw, but for absence and damage.
 */
export async function findNarRoot(
  narSha256: Uint8Array,
  records: NarRecords,
  calculator: NarCalculator,
  options: CallOptions = {},
): Promise<NarRecord | undefined> {
  try {
    const record = await records.root(narSha256);
    if (record === undefined) return undefined;
    const hash = await calculator.calculate(record.node, options);
    const agrees = equalBytes(hash.narSha256, narSha256) && hash.narSize === record.narSize;
    return agrees ? record : undefined;
  } catch (error) {
    if (isStoreError(error, "corrupt") || isStoreError(error, "dangling-reference"))
      return undefined;
    throw error;
  }
}
