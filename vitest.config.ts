import { defineConfig } from "vitest/config";

/** Mounts for two minutes and needs nobody's quiet. */
const soak = "test/soak/**/*.test.ts";
/** Tests of commands, and with a browser, as processes of their own; two at a time do not disturb each other. */
const commands = {
  include: ["test/cli/**/*.test.ts", "test/**/*.browser.test.ts", soak],
  exclude: ["test/cli/memory.test.ts", "test/cli/**/*.kernel.test.ts"],
};
/** Tests that mount through the kernel or measure: they share /dev/fuse, memory and time. */
const system = ["test/cli/memory.test.ts", "test/torture/**/*.test.ts", "test/**/*.kernel.test.ts"];

export default defineConfig({
  test: {
    testTimeout: 60_000,
    hookTimeout: 60_000,
    pool: "forks",
    globalSetup: "test/support/find-python.ts",
    // Left to itself vitest keeps one core free: of two, half the machine.
    maxWorkers: 2,
    projects: [
      {
        extends: true,
        test: {
          name: "unit",
          include: ["test/**/*.test.ts"],
          exclude: [...system, ...commands.include],
        },
      },
      {
        extends: true,
        test: { name: "commands", ...commands, sequence: { groupOrder: 1 } },
      },
      {
        extends: true,
        test: {
          name: "system",
          include: system,
          exclude: [soak],
          fileParallelism: false,
          sequence: { groupOrder: 2 },
        },
      },
    ],
  },
});
