import { existsSync, readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { prepareForBulk } from "../../src/base/bulk-memory.js";

const KNOWS_LARGE_PAGES = existsSync("/sys/kernel/mm/transparent_hugepage");

/** How much of the heap of the C library asks for large pages, in KiB. */
function largePagesKib(): number {
  const mappings = readFileSync("/proc/self/smaps", "utf8").split(/^(?=[0-9a-f]+-[0-9a-f]+ )/m);
  const asking = mappings.filter((each) => /\[heap\]/.test(each) && /^VmFlags:.* hg\b/m.test(each));
  return asking.reduce((sum, each) => sum + Number(/^Size: +(\d+)/m.exec(each)?.[1]), 0);
}

test.skipIf(!KNOWS_LARGE_PAGES)(
  "The heap of what was prepared for bulk asks for large pages",
  () => {
    prepareForBulk();
    expect(largePagesKib()).toBeGreaterThan(60 * 1024);
  },
);
