import { defineConfig } from "vitest/config";

// Where it is set, every start of Node reads that file, which takes longer than all the rest of starting.
delete process.env["NODE_EXTRA_CA_CERTS"];

/** Mounts that need nobody's quiet, and spend much of their time waiting. */
const mounts = [
  "test/soak/**/*.kernel.test.ts",
  "test/kernel/{trees,refusals,holes}.kernel.test.ts",
  "test/kernel-engine/**/*.kernel.test.ts",
  "test/{cli,grpc,http}/**/*.kernel.test.ts",
  "test/fuse/session.kernel.test.ts",
];
/** Tests of commands, and with a browser, as processes of their own; two at a time do not disturb each other. */
const commands = [
  "test/cli/**/*.test.ts",
  "test/torture/killed-import.test.ts",
  "test/**/*.browser.test.ts",
  ...mounts,
];
/** Tests that mount through the kernel in their own process or need much of the machine: one at a time. */
const system = ["test/**/*.kernel.test.ts"];

export default defineConfig({
  test: {
    testTimeout: 60_000,
    hookTimeout: 60_000,
    pool: "forks",
    globalSetup: ["test/support/find-python.ts", "test/support/leftovers.ts"],
    setupFiles: "test/support/end-of-file.ts",
    // Left to itself vitest keeps one core free: of two, half the machine.
    maxWorkers: 2,
    projects: [
      {
        extends: true,
        test: {
          name: "unit",
          // A process for each file would spend half of its time on loading the program.
          isolate: false,
          include: ["test/**/*.test.ts"],
          exclude: [...system, ...commands],
        },
      },
      {
        extends: true,
        test: { name: "commands", isolate: false, include: commands, sequence: { groupOrder: 1 } },
      },
      {
        extends: true,
        test: {
          name: "system",
          include: system,
          exclude: mounts,
          fileParallelism: false,
          sequence: { groupOrder: 2 },
        },
      },
    ],
  },
});
