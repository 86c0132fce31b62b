/**
 * What has an `LRUCache` keep so many entries. Its own `max` allots room for all of them at once, which takes a
 * millisecond for ten thousand, and is mostly not used.
 */
export function atMost(entries: number): {
  readonly maxSize: number;
  readonly sizeCalculation: () => number;
} {
  return { maxSize: entries, sizeCalculation: () => 1 };
}
