import { execFileSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { type FileHandle, open } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { splice } from "../../src/cli/splice.js";
import { noise } from "../support/bytes.js";
import { type Outcome, runProgram } from "../support/child.js";
import { temporaryFolder } from "../support/temp.js";

const CONTENT = noise(5_000_000);
const OFFSET = 12_345;
const LENGTH = CONTENT.length - OFFSET - 1;

/** What `splice` returns for a part of a file and what `sh` printed, run on the other end of the pipe with `line`. */
async function spliceInto(line: string): Promise<{ spliced: number; outcome: Outcome }> {
  const folder = temporaryFolder();
  writeFileSync(join(folder, "file"), CONTENT);
  execFileSync("mkfifo", [join(folder, "pipe")]);
  const reader = runProgram("sh", ["-c", `exec < pipe; ${line}`], { cwd: folder });
  await using file: FileHandle = await open(join(folder, "file"));
  let spliced: number;
  {
    await using pipe: FileHandle = await open(join(folder, "pipe"), "w");
    spliced = await splice({ descriptor: file.fd, offset: OFFSET }, LENGTH, pipe.fd);
  }
  return { spliced, outcome: await reader };
}

describe("Splicing a part of a file into a pipe", () => {
  test.each(["cat", "head -c 70000; sleep 0.5; cat"])("gives all of it to %s", async (line) => {
    const { spliced, outcome } = await spliceInto(line);
    expect(spliced).toBe(LENGTH);
    expect(outcome.output.equals(CONTENT.subarray(OFFSET, OFFSET + LENGTH))).toBe(true);
  });

  test("ends when the reader goes away", async () => {
    const { spliced, outcome } = await spliceInto("head -c 10");
    expect(spliced).toBeLessThan(LENGTH);
    expect(outcome.output).toEqual(CONTENT.subarray(OFFSET, OFFSET + 10));
  });

  test("moves nothing where one end is no pipe", async () => {
    const folder = temporaryFolder();
    writeFileSync(join(folder, "file"), CONTENT);
    await using file = await open(join(folder, "file"));
    await using copy = await open(join(folder, "copy"), "w");
    expect(await splice({ descriptor: file.fd, offset: 0 }, 10, copy.fd)).toBe(0);
    expect((await copy.stat()).size).toBe(0);
  });
});
