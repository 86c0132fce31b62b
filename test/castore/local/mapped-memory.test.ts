import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { IndexDatabase } from "../../../src/castore/local/index-database.js";
import { noise } from "../../support/bytes.js";
import { temporaryFolder } from "../../support/temp.js";

const MIB = 1024 * 1024;
const VALUES = 30_000;
const VALUE_BYTES = 8000;
/** How many are read or written between two looks at what is resident. */
const LOOK_EVERY = 16;

const keys = Array.from({ length: VALUES }, (_, index) =>
  createHash("sha256").update(String(index)).digest(),
);

/** Pages of files that count as this process's. */
function residentFileBytes(): number {
  return (
    Number(/^RssFile:\s+(\d+) kB$/m.exec(readFileSync("/proc/self/status", "utf8"))?.[1]) * 1024
  );
}

test("Of an index of 240 MB little is resident while it is written, and while the same is written again", async () => {
  const index = IndexDatabase.open(temporaryFolder());
  try {
    const table = index.table("blobs");
    const value = noise(VALUE_BYTES);
    const before = residentFileBytes();
    for (const expected of [VALUES, 0]) {
      let written = 0;
      let peak = 0;
      const write = (key: Uint8Array, at: number): void => {
        if (!table.holds(key, value)) {
          table.put(key, value);
          written++;
        }
        if (at % LOOK_EVERY === 0) peak = Math.max(peak, residentFileBytes() - before);
      };
      await Promise.all(keys.map((key, at) => index.commit(() => write(key, at), VALUE_BYTES)));
      expect(written).toBe(expected);
      expect(peak).toBeLessThan(64 * MIB);
    }
  } finally {
    await index.close();
  }
});
