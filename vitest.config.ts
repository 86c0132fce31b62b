import { defineConfig } from "vitest/config";

/** Tests that start real processes or mount through the kernel. */
const system = ["test/cli/**/*.test.ts", "test/torture/**/*.test.ts", "test/**/*.kernel.test.ts"];

export default defineConfig({
  test: {
    testTimeout: 60_000,
    hookTimeout: 60_000,
    pool: "forks",
    projects: [
      {
        extends: true,
        test: { name: "unit", include: ["test/**/*.test.ts"], exclude: system },
      },
      {
        extends: true,
        // One file at a time: they share /dev/fuse, and measure memory and time.
        test: {
          name: "system",
          include: system,
          fileParallelism: false,
          sequence: { groupOrder: 1 },
        },
      },
    ],
  },
});
