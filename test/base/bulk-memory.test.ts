import { existsSync, readFileSync } from "node:fs";
import { expect, test, vi } from "vitest";
import { expectBulk, prepareForBulk } from "../../src/base/bulk-memory.js";

const KNOWS_LARGE_PAGES = existsSync("/sys/kernel/mm/transparent_hugepage");

/** What the kernel says of the heap of the C library, of those parts that ask for large pages, in KiB. */
function largePagesKib(line: "Size" | "Rss"): number {
  const mappings = readFileSync("/proc/self/smaps", "utf8").split(/^(?=[0-9a-f]+-[0-9a-f]+ )/m);
  const asking = mappings.filter((each) => /\[heap\]/.test(each) && /^VmFlags:.* hg\b/m.test(each));
  const value = new RegExp(`^${line}: +(\\d+)`, "m");
  return asking.reduce((sum, each) => sum + Number(value.exec(each)?.[1]), 0);
}

test.skipIf(!KNOWS_LARGE_PAGES)(
  "The heap of what was prepared for bulk asks for large pages, and has them once bulk is expected",
  async () => {
    prepareForBulk();
    expect(largePagesKib("Size")).toBeGreaterThan(60 * 1024);
    const before = largePagesKib("Rss");
    expectBulk(24 * 1024 * 1024);
    await vi.waitUntil(() => largePagesKib("Rss") > 20 * 1024);
    expect(largePagesKib("Rss")).toBeLessThan(before + 32 * 1024);
    expectBulk(2 ** 40);
    await vi.waitUntil(() => largePagesKib("Rss") > 60 * 1024);
  },
);
