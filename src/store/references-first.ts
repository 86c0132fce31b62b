import type { StorePath } from "./store-path.js";

interface Referring {
  readonly storePath: StorePath;
  readonly references: readonly StorePath[];
}

/**
 * `items`, those of each store path once and after those that it refers to, as far as they are among them and
 * there is no circle.
 */
export function referencesFirst<T extends Referring>(items: readonly T[]): T[] {
  const byName = new Map(items.map((item) => [item.storePath.basename, item]));
  const result: T[] = [];
  // A stack instead of recursion: how long a chain of references is, is up to whoever made them.
  const stack: { readonly item: T; next: number }[] = [];
  const open = (name: string): void => {
    const item = byName.get(name);
    if (item === undefined) return;
    byName.delete(name);
    stack.push({ item, next: 0 });
  };
  for (const { storePath } of items) {
    open(storePath.basename);
    for (let top = stack.at(-1); top !== undefined; top = stack.at(-1)) {
      const reference = top.item.references[top.next++];
      if (reference !== undefined) {
        open(reference.basename);
      } else {
        stack.pop();
        result.push(top.item);
      }
    }
  }
  return result;
}
