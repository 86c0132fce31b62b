import { isStoreError } from "../base/errors.js";
import { PublicKey } from "../store/signature/public-key.js";
import type { SubstitutionArguments } from "./substitution-options.js";
import { UsageError } from "./usage-error.js";

/**
 * The keys of --trusted-public-key.
 *
 * @throws {UsageError} for one that is none.
 */
export function trustedKeysOf({ trustedPublicKey = [] }: SubstitutionArguments): PublicKey[] {
  try {
    return trustedPublicKey.map((text) => PublicKey.parse(text));
  } catch (error) {
    throw isStoreError(error) ? new UsageError(error.message) : error;
  }
}
