/**
 * Mutated inputs for every decoder: a value, or an error of our own. `make fuzz` looks a million times.
 *
 *   TVIX_FUZZ_RUNS   how many inputs, over all targets
 *   TVIX_FUZZ_SEED   the seed of an earlier run, to see it again
 */
import { describe, expect, test } from "vitest";
import { StoreError } from "../../src/base/errors.js";
import { Mutator } from "./mutator.js";
import { FUZZ_TARGETS } from "./targets.js";

const RUNS = Number(process.env["TVIX_FUZZ_RUNS"] ?? 60_000);
const SEED = Number(process.env["TVIX_FUZZ_SEED"] ?? Date.now() % 2 ** 31);
/** An hour: a hang is found by the whole of it, a slow machine is not taken for one. */
const TIMEOUT_MS = 3_600_000;
/** Other work, such as the end of a hung test, gets its turn this often. */
const TURN_RUNS = 1000;
const GROWTH_BYTES_MAX = 300e6;

const shares = FUZZ_TARGETS.reduce((sum, { share }) => sum + share, 0);

describe("Mutated inputs give a value or an error of our own", () => {
  test.each(FUZZ_TARGETS)(
    "$name",
    async ({ name, share, corpus, run }) => {
      const runs = Math.ceil((RUNS * share) / shares);
      console.log(`${runs} of ${name}, seed ${SEED}`);
      const mutator = new Mutator(SEED);
      const inputs = await corpus(SEED);
      const before = process.memoryUsage().rss;
      let taken = 0;
      let refused = 0;
      for (let index = 0; index < runs; index++) {
        const input = mutator.mutate(mutator.pick(inputs), mutator.pick(inputs));
        try {
          await run(input);
          taken++;
        } catch (cause) {
          if (!(cause instanceof StoreError) || cause.code === "internal") {
            throw new Error(`${name} ${index} of seed ${SEED}: ${input.toString("hex")}`, {
              cause,
            });
          }
          refused++;
        }
        if (index % TURN_RUNS === 0) await new Promise(setImmediate);
      }
      // Both ways are taken, or the mutations have missed the point.
      expect(refused).toBeGreaterThan(runs / 10);
      expect(taken).toBeGreaterThan(0);
      expect(process.memoryUsage().rss - before).toBeLessThan(GROWTH_BYTES_MAX);
    },
    TIMEOUT_MS,
  );

  test("and valid inputs are taken as they are", async () => {
    for (const { corpus, run } of FUZZ_TARGETS) {
      const inputs = await corpus(SEED);
      expect(inputs.length).toBeGreaterThan(50);
      for (const input of inputs) await run(input);
    }
  });
});
