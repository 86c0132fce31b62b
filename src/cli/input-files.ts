/**
 * Small files that options name.
 */
import { readFileSync } from "node:fs";
import { quoteBytes } from "../base/bytes.js";
import { isStoreError, messageOf, StoreError } from "../base/errors.js";
import { SecretKey } from "../store/signature/secret-key.js";
import { StorePath } from "../store/store-path.js";

/**
 * Store paths, one per line, as `/nix/store/<hash>-<name>` or `<hash>-<name>`. Empty lines are passed over.
 *
 * @throws {StoreError} naming the file, and the line at fault.
 */
export function readReferenceFile(path: string): StorePath[] {
  const paths: StorePath[] = [];
  for (const [index, line] of readTextFile(path).split(/\r?\n/).entries()) {
    if (line === "") continue;
    try {
      paths.push(line.startsWith("/") ? StorePath.parseAbsolute(line) : StorePath.parse(line));
    } catch (error) {
      throw isStoreError(error) ? wrong(`${path}:${index + 1}`, error) : error;
    }
  }
  return paths;
}

/** @throws {StoreError} naming the file, without a word of the key. */
export function readSecretKeyFile(path: string): SecretKey {
  const text = readTextFile(path);
  try {
    return SecretKey.parse(text);
  } catch (error) {
    throw isStoreError(error) ? wrong(path, error) : error;
  }
}

/** The text of a small file. @throws {StoreError} naming the file. */
export function readTextFile(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    throw new StoreError(
      "unavailable",
      `Cannot read ${quoteBytes(Buffer.from(path))}: ${messageOf(error)}`,
      { cause: error },
    );
  }
}

function wrong(where: string, error: StoreError): StoreError {
  return new StoreError(error.code, `${where}: ${error.message}`);
}
