import { closeSync, openSync, truncateSync, writeSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { kernelTestsObstacle } from "../fuse/support/fake-mount.js";
import { outputOf, python } from "../support/child.js";
import { TestStore } from "../support/cli.js";
import { CliMount } from "../support/cli-mount.js";
import { type MeasuredOutcome, measured, PEAK_BYTES_MAX } from "../support/peak-memory.js";
import { temporaryFolder } from "../support/temp.js";

if (kernelTestsObstacle !== undefined) console.warn(`Kernel tests skipped: ${kernelTestsObstacle}`);

const GIB = 2 ** 30;
const SIZE = 5 * GIB;
/** Where something other than zeros is written; each marker tells its own place. */
const OFFSETS = [0, 2 ** 31, 2 ** 32 - 1, 2 ** 32 + 4096, 4.5 * GIB, SIZE - 16];
const MARKER_BYTES = 16;

const marker = (offset: number) => Buffer.from(offset.toString(16).padStart(MARKER_BYTES, "m"));

/** Reads around each of the offsets; prints what is there in hex. */
const READ = `
import os, sys
fd = os.open(sys.argv[1], os.O_RDONLY)
for offset in map(int, sys.argv[2:]):
    print(os.pread(fd, ${MARKER_BYTES + 8}, max(offset - 4, 0)).hex())
`;

/** Maps the end of the file into memory. */
const MAP = `
import mmap, sys
with open(sys.argv[1], "rb") as f, mmap.mmap(f.fileno(), 1 << 20, prot=mmap.PROT_READ, offset=${SIZE - 2 ** 20}) as m:
    print(m[-${MARKER_BYTES}:].decode())
`;

const store = new TestStore();
const file = join(temporaryFolder(), "large");
let imported: MeasuredOutcome;

beforeAll(async () => {
  const descriptor = openSync(file, "w");
  truncateSync(file, SIZE);
  for (const offset of OFFSETS) writeSync(descriptor, marker(offset), 0, MARKER_BYTES, offset);
  closeSync(descriptor);
  imported = await measured(store, ["import", file], 600_000);
}, 600_000);

test("A sparse file of 5 GiB is imported with less than 300 MB of memory, and stays sparse", async () => {
  expect(imported).toMatchObject({ status: 0, stderr: "" });
  console.log(`peak while importing 5 GiB: ${Math.round(imported.peakBytes / 1e6)} MB`);
  expect(imported.peakBytes).toBeGreaterThan(0);
  expect(imported.peakBytes).toBeLessThan(PEAK_BYTES_MAX);
  expect(Number((await outputOf("du", "-sm", store.folder)).split("\t")[0])).toBeLessThan(64);
  const [info] = await store.list();
  expect(info?.narSize).toBe(SIZE + 112);
});

describe.skipIf(kernelTestsObstacle !== undefined).each(["kernel", "fuse-native"])(
  "A file of 5 GiB, mounted with --engine=%s,",
  (engine) => {
    let mount: CliMount;
    let path: string;

    beforeAll(async () => {
      mount = await CliMount.start(store, `--engine=${engine}`);
      path = mount.path(imported.stdout.trimEnd());
    });
    afterAll(() => mount?.discard());

    test("reads right on both sides of every boundary", async () => {
      expect(await outputOf("stat", "-c", "%s", path)).toBe(`${SIZE}\n`);
      const printed = await python(READ, path, ...OFFSETS.map(String));
      expect(printed).toBe(await python(READ, file, ...OFFSETS.map(String)));
      for (const offset of OFFSETS) expect(printed).toContain(marker(offset).toString("hex"));
    });

    test("is mapped into memory at its end", async () => {
      expect(await python(MAP, path)).toBe(`${marker(SIZE - MARKER_BYTES)}\n`);
    });

    test("gives its last 2 MiB in one go", async () => {
      const tail = (from: string) => outputOf("sh", "-c", 'tail -c 2097152 "$0" | sha256sum', from);
      expect(await tail(path)).toBe(await tail(file));
    });
  },
);
