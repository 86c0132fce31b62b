import { openSync } from "node:fs";
import { expect, test } from "vitest";
import { INHERITED } from "../../../src/fuse/child.js";
import { runMountProgram } from "../../../src/fuse/kernel/mount-program.js";

const descriptor = openSync("/dev/null", "r");

function shell(script: string, environment?: NodeJS.ProcessEnv): Promise<boolean> {
  const args = ["-c", script, "/mnt/point"];
  return runMountProgram("sh", args, { descriptor, ...(environment && { environment }) });
}

test("runMountProgram() hands over the descriptor and the environment", async () => {
  const script = `[ "$(readlink /proc/self/fd/${INHERITED})" = /dev/null ] && [ "$EXTRA" = yes ]`;
  expect(await shell(script, { EXTRA: "yes" })).toBe(true);
});

test("runMountProgram() is false for a program that is missing", async () => {
  expect(await runMountProgram("no-such-program", [], { descriptor })).toBe(false);
});

test("runMountProgram() fails with the program's own words, in English", async () => {
  await expect(shell('echo "words in $LC_ALL" >&2; exit 32')).rejects.toMatchObject({
    code: "unavailable",
    message: "Cannot mount at /mnt/point: words in C",
  });
  await expect(shell("exit 3")).rejects.toThrow("sh failed with status 3");
  await expect(shell("kill -9 $$")).rejects.toThrow("sh failed");
});

test("runMountProgram() gives up on a program that does not end", async () => {
  await expect(shell("exec sleep 60")).rejects.toThrow("sh does not end");
});
