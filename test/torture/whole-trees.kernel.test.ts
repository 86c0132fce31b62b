/**
 * Trees of a whole machine, imported, mounted and compared. Takes minutes: only with TVIX_TORTURE=1.
 */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { kernelTestsObstacle } from "../fuse/support/fake-mount.js";
import { TestStore } from "../support/cli.js";
import { CliMount } from "../support/cli-mount.js";
import { expectSameTree } from "../support/manifest.js";
import { measured, PEAK_BYTES_MAX } from "../support/peak-memory.js";

const long = process.env["TVIX_TORTURE"] === "1";
const TIMEOUT_MS = 1_800_000;

if (long && kernelTestsObstacle !== undefined) {
  console.warn(`Kernel tests skipped: ${kernelTestsObstacle}`);
}

describe.runIf(long && kernelTestsObstacle === undefined).each(["kernel", "fuse-native"])(
  "With --engine=%s the whole of",
  (engine) => {
    const store = new TestStore();
    let mount: CliMount;
    beforeAll(async () => {
      mount = await CliMount.start(store, `--engine=${engine}`);
    });
    afterAll(() => mount?.discard());

    test.each(["/usr/share", "/usr/bin", "/usr/lib"])(
      "%s equals its source",
      async (source) => {
        const { status, stdout, stderr, peakBytes } = await measured(
          store,
          ["import", source],
          TIMEOUT_MS,
        );
        expect([status, stderr]).toEqual([0, ""]);
        expect(peakBytes).toBeLessThan(PEAK_BYTES_MAX);
        const count = await expectSameTree(mount.path(stdout.trimEnd()), source);
        console.log(`${source}: ${count} entries, peak ${Math.round(peakBytes / 1e6)} MB`);
      },
      TIMEOUT_MS,
    );
  },
);
