import { describe, expect, it } from "vitest";
import { fuzzNarinfo, narinfoSeeds } from "../../fuzz/targets/narinfo.js";
import { randomFrom } from "../../support/random.js";

/** `TVIX_TEST_NARINFOS=1000000 TVIX_TEST_SEED=… npx vitest run narinfo/mutated` looks further. */
const NARINFOS = Number(process.env["TVIX_TEST_NARINFOS"] ?? 20_000);
const SEED = Number(process.env["TVIX_TEST_SEED"] ?? Date.now() % 2 ** 32);

const CHANGES_MAX = 4;
const PIECES = [
  "\n",
  ": ",
  ":",
  " ",
  "\0",
  "\r",
  "=",
  "0",
  "-",
  "/nix/store/",
  ".drv",
  "Sig: ",
  "CA: ",
];

describe("A narinfo that was changed at random", () => {
  it(`is refused with an error of ours or works (seed ${SEED})`, () => {
    const random = randomFrom(SEED);
    const below = (limit: number): number => Math.floor(random() * limit);
    let accepted = 0;
    for (let count = 0; count < NARINFOS; count++) {
      let bytes = narinfoSeeds[below(narinfoSeeds.length)] as Buffer;
      for (let change = below(CHANGES_MAX + 1); change > 0; change--) {
        const at = below(bytes.length + 1);
        const to = at + below(random() < 0.5 ? 3 : 200);
        const piece = [
          Buffer.from([below(256)]),
          Buffer.from(PIECES[below(PIECES.length)] as string),
          bytes.subarray(below(bytes.length), below(bytes.length)),
          Buffer.alloc(0),
        ][below(4)] as Buffer;
        bytes = Buffer.concat([bytes.subarray(0, at), piece, bytes.subarray(to)]);
      }
      try {
        fuzzNarinfo(bytes);
        accepted++;
      } catch (error) {
        throw new Error(
          `Seed ${SEED}, narinfo ${count}: ${JSON.stringify(bytes.toString("latin1"))}`,
          {
            cause: error,
          },
        );
      }
    }
    expect(accepted).toBe(NARINFOS);
  });
});
