import { StoreError } from "../base/errors.js";
import type { CallOptions } from "../castore/blob/service.js";
import type { PathInfoService } from "./path-info/service.js";
import type { PathInfo } from "./path-info.js";

interface Open {
  readonly pathInfo: PathInfo;
  next: number;
}

/**
 * `roots` and everything they refer to, directly or not: each once, and after what it refers to. Which
 * comes first otherwise follows from the order of roots and references.
 *
 * @throws {StoreError} `dangling-reference` when a path of the closure is not in the store.
 */
export async function* closureOf(
  roots: readonly PathInfo[],
  pathInfos: PathInfoService,
  options?: CallOptions,
): AsyncGenerator<PathInfo> {
  const seen = new Set<string>();
  // A stack instead of recursion: how long a chain of references is, is up to whoever made them.
  const stack: Open[] = [];
  const open = (pathInfo: PathInfo): void => {
    seen.add(pathInfo.storePath.basename);
    stack.push({ pathInfo, next: 0 });
  };
  for (const root of roots) {
    if (!seen.has(root.storePath.basename)) open(root);
    for (let top = stack.at(-1); top !== undefined; top = stack.at(-1)) {
      const { pathInfo } = top;
      const reference = pathInfo.references[top.next++];
      if (reference === undefined) {
        stack.pop();
        yield pathInfo;
      } else if (!seen.has(reference.basename)) {
        const found = await pathInfos.get(reference.hash, options);
        if (found === undefined) {
          throw new StoreError(
            "dangling-reference",
            `${pathInfo.storePath} refers to ${reference}, which is not in the store`,
          );
        }
        open(found);
      }
    }
  }
}
