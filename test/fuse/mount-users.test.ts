import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { findMountUsers } from "../../src/fuse/mount-users.js";
import { PYTHON } from "../support/python.js";

// Nothing here needs a mount: what counts is where the links in /proc lead.
let folder: string;
let children: ChildProcess[] = [];
beforeAll(() => {
  folder = realpathSync(mkdtempSync(join(tmpdir(), "tvix-store-users-")));
  writeFileSync(join(folder, "file"), "x".repeat(4096));
});
afterEach(() => {
  for (const child of children) child.kill("SIGKILL");
  children = [];
});
afterAll(() => rmSync(folder, { recursive: true }));

/** Starts a process that does something with the folder, `$0`, says so, and stays. */
async function user(program: string, ...args: string[]): Promise<number | undefined> {
  const child = spawn(program, [...args, folder], { stdio: ["ignore", "pipe", "inherit"] });
  children.push(child);
  await new Promise((resolve) => child.stdout?.once("data", resolve));
  return child.pid;
}

const MAPPED = `
import mmap, os, sys, time
f = os.open(sys.argv[1] + "/file", os.O_RDONLY)
m = mmap.mmap(f, 4096, prot=mmap.PROT_READ, flags=mmap.MAP_PRIVATE)
os.close(f)
print("here", flush=True)
time.sleep(60)
`;

test.each([
  ["working folder", "sh", ["-c", 'cd "$0" && echo here && exec sleep 60']],
  ["open file", "sh", ["-c", 'exec 3<"$0"/file && echo here && exec sleep 60']],
  ["open folder", "sh", ["-c", 'exec 3<"$0" && echo here && exec sleep 60']],
  ["mapped file", PYTHON, ["-c", MAPPED]],
])("findMountUsers() finds a process by its %s", async (_, program, args) => {
  const pid = await user(program, ...args);
  expect(await findMountUsers(folder, 5)).toMatchObject([{ pid }]);
});

test("findMountUsers() stops at the limit, and finds nobody below an unused folder", async () => {
  for (const _ of [1, 2, 3]) await user("sh", "-c", 'cd "$0" && echo here && exec sleep 60');
  const users = await findMountUsers(folder, 2);
  expect(users.map(({ command }) => command)).toEqual(["sleep", "sleep"]);
  expect(await findMountUsers(`${folder}/none`, 5)).toEqual([]);
});
