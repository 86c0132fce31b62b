import { readdirSync, readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { runAsBatch } from "../../src/base/run-as-batch.js";

/** Of each thread of this process: field 41 of its `stat`, the name of which may hold anything. */
function policies(): number[] {
  return readdirSync("/proc/self/task").map((thread) => {
    const stat = readFileSync(`/proc/self/task/${thread}/stat`, "utf8");
    return Number(stat.slice(stat.lastIndexOf(")") + 2).split(" ")[38]);
  });
}

test("A process that runs as a batch does so with all its threads", () => {
  expect(policies()).not.toContain(3);
  runAsBatch();
  expect(new Set(policies())).toEqual(new Set([3]));
});
