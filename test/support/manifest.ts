/**
 * Comparing trees: a child process writes down everything that must be equal.
 */
import { expect } from "vitest";
import { outputOf, python, runProgram } from "./child.js";

/** One line for each thing below a folder: kind, executable bit, size, content or target, name. */
const SCRIPT = `
import hashlib, os, stat, sys

def content(path):
    digest = hashlib.sha256()
    with open(path, "rb", buffering=0) as f:
        for part in iter(lambda: f.read(1 << 20), b""):
            digest.update(part)
    return digest.hexdigest()

def describe(path):
    s = os.lstat(path)
    if stat.S_ISLNK(s.st_mode): return "link " + ascii(os.readlink(path))
    if stat.S_ISDIR(s.st_mode): return "folder"
    if not stat.S_ISREG(s.st_mode): return "other"
    executable = "x" if s.st_mode & stat.S_IXUSR else "-"
    return f"file {executable} {s.st_size} {content(path)}"

root = os.fsencode(sys.argv[1])
stack = [b""]
while stack:
    below = stack.pop()
    path = os.path.join(root, below)
    print(ascii(below), describe(path))
    if stat.S_ISDIR(os.lstat(path).st_mode):
        names = sorted(os.listdir(path), reverse=True)
        stack.extend(os.path.join(below, name) for name in names)
`;

async function manifestOf(path: string): Promise<string[]> {
  return (await python(SCRIPT, path)).trimEnd().split("\n");
}

/** Compares all there is below two folders; how many things that was. */
export async function expectSameTree(actual: string, expected: string): Promise<number> {
  const wanted = await manifestOf(expected);
  const found = await manifestOf(actual);
  expect(difference(found, wanted)).toEqual([]);
  expect(await diffOf(actual, expected)).toEqual([0, ""]);
  return found.length;
}

/** What diff(1) says, which uses other calls than our own comparison. */
async function diffOf(actual: string, expected: string): Promise<[number | null, string]> {
  const { status, stdout, stderr } = await runProgram("diff", [
    "-r",
    "--no-dereference",
    expected,
    actual,
  ]);
  return [status, (stdout + stderr).slice(0, 2000)];
}

/** The first lines that only one side has. */
function difference(found: readonly string[], wanted: readonly string[]): string[] {
  const [inFound, inWanted] = [new Set(found), new Set(wanted)];
  return [
    ...wanted.filter((line) => !inFound.has(line)).map((line) => `missing: ${line}`),
    ...found.filter((line) => !inWanted.has(line)).map((line) => `too much: ${line}`),
  ].slice(0, 20);
}

/** Runs sha256sum over every file below `path`. */
export async function sha256sums(path: string): Promise<string> {
  const script = 'cd "$0" && find . -type f -print0 | LC_ALL=C sort -z | xargs -0 sha256sum -z';
  return await outputOf("sh", "-c", script, path);
}
