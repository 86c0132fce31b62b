import { quoteBytes } from "../../base/bytes.js";
import { StoreError } from "../../base/errors.js";

/** Characters: far more than any name in use. */
const NAME_LENGTH_MAX = 255;

/**
 * Whether a key may be called `name`: keys and signatures are lines with a colon after the name, lists of
 * keys are separated by blanks. Nix asks for no more, so `_`, `+` and `/` will do, like letters.
 */
export function isKeyName(name: string): boolean {
  return name.length <= NAME_LENGTH_MAX && /^[^:\s\p{C}]+$/u.test(name);
}

/** @throws {StoreError} `invalid-argument`, quoting what is no name. */
export function validateKeyName(name: string): void {
  if (isKeyName(name)) return;
  const quoted = quoteBytes(Buffer.from(name.slice(0, NAME_LENGTH_MAX)));
  throw new StoreError(
    "invalid-argument",
    `Invalid key name ${quoted}: expected 1 to ${NAME_LENGTH_MAX} characters, no blanks and no colon`,
  );
}
