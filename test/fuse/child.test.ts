import { expect, test } from "vitest";
import { runChild } from "../../src/fuse/child.js";

test("runChild() gives status and output, in English whatever the locale", async () => {
  const script = 'echo "$LC_ALL"; echo wrong >&2; exit 3';
  expect(await runChild("sh", ["-c", script])).toEqual({
    type: "exited",
    status: 3,
    stdout: "C",
    stderr: "wrong",
  });
});

test("runChild() tells a program that is missing from one that fails", async () => {
  expect(await runChild("no-such-program", [])).toEqual({ type: "missing" });
});

test("runChild() does not take a program ended by a signal for one that succeeded", async () => {
  expect(await runChild("sh", ["-c", "kill -9 $$"])).toMatchObject({ type: "exited", status: 128 });
});

test("runChild() gives up on a program that does not end", async () => {
  expect(await runChild("sleep", ["60"])).toEqual({ type: "timeout" });
});
