/**
 * Walking the closure of a directory over any service that can `get`.
 */
import { StoreError } from "../../base/errors.js";
import type { B3Digest } from "../digest.js";
import type { Directory } from "../directory.js";

/**
 * Yields the directory `root` and everything below it, breadth first, each directory once. Nothing when
 * the root is absent.
 *
 * @throws {StoreError} `dangling-reference` when a directory below the root is missing.
 */
export async function* walkClosure(
  root: B3Digest,
  get: (digest: B3Digest) => Promise<Directory | undefined>,
): AsyncGenerator<Directory> {
  const seen = new Set([root.hex]);
  let level: B3Digest[] = [root];
  while (level.length > 0) {
    const below: B3Digest[] = [];
    for (const digest of level) {
      const directory = await get(digest);
      if (directory === undefined) {
        if (digest === root) return;
        throw new StoreError(
          "dangling-reference",
          `Directory ${digest} below ${root} is missing from the store`,
        );
      }
      for (const { node } of directory.entries()) {
        if (node.type !== "directory" || seen.has(node.digest.hex)) continue;
        seen.add(node.digest.hex);
        below.push(node.digest);
      }
      yield directory;
    }
    level = below;
  }
}
