import { execFileSync } from "node:child_process";
import {
  appendFileSync,
  closeSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { DEPTH_MAX, type WalkStep, walk } from "../../../src/store/import/walk.js";
import { bytes } from "../../support/bytes.js";
import { temporaryFolder } from "../../support/temp.js";

const folder = temporaryFolder();
const newFolder = () => mkdtempSync(join(folder, "tree-"));
const steps = (root: string | Buffer) => [...walk(Buffer.from(root as string))];

/** Steps in short: `d name`, `f name`, `l name target`, and `.` for the end of a folder. */
function summary(all: readonly WalkStep[]): string[] {
  return all.map((step) => {
    if (step.type === "folder-end") return ".";
    const name = Buffer.from(step.name).toString("latin1");
    if (step.type === "symlink") return `l ${name} ${Buffer.from(step.target).toString("latin1")}`;
    return `${step.type === "folder" ? "d" : "f"} ${name}`;
  });
}

/** Folders inside each other, deeper than any path can name: each is made from inside the last. */
function makeDeep(root: string, levels: number): void {
  const home = process.cwd();
  process.chdir(root);
  for (let level = 0; level < levels; level++) {
    mkdirSync("d");
    process.chdir("d");
  }
  process.chdir(home);
}

function failure(run: () => unknown): unknown {
  try {
    run();
  } catch (error) {
    return error;
  }
  throw new Error("It did not fail");
}

describe("walk()", () => {
  it("gives each folder, what is in it, and its end, in byte order of the names", () => {
    const root = newFolder();
    for (const name of ["b", "a", "a.b", "B", "ä", "\u{10000}", "\uffee"]) {
      writeFileSync(join(root, name), "");
    }
    mkdirSync(join(root, "a-"));
    mkdirSync(join(root, "c"));
    writeFileSync(join(root, "c", "inner"), "");
    symlinkSync("c", join(root, "c", "l"));
    const latin = (text: string) => Buffer.from(text).toString("latin1");
    expect(summary(steps(root))).toEqual([
      "d ",
      "f B",
      "f a",
      "d a-",
      ".",
      "f a.b",
      "f b",
      "d c",
      "f inner",
      "l l c",
      ".",
      `f ${latin("ä")}`,
      `f ${latin("\uffee")}`,
      `f ${latin("\u{10000}")}`,
      ".",
    ]);
  });

  it("takes a single file or symlink as the root, and does not follow the latter", () => {
    const root = newFolder();
    writeFileSync(join(root, "file"), "");
    symlinkSync("/etc", join(root, "link"));
    expect(summary(steps(join(root, "file")))).toEqual(["f "]);
    expect(summary(steps(join(root, "link")))).toEqual(["l  /etc"]);
  });

  it("keeps names and targets that are not UTF-8 as they are", () => {
    const root = newFolder();
    const name = Buffer.from([0x66, 0xff]);
    symlinkSync(Buffer.from([0xfe, 0x2f]), Buffer.concat([bytes(`${root}/`), name]));
    const [, link] = steps(root);
    expect(link).toMatchObject({ name, target: Buffer.from([0xfe, 0x2f]) });
  });

  it("names files by the whole path, and tells where to open them", () => {
    const root = newFolder();
    mkdirSync(join(root, "in"));
    writeFileSync(join(root, "in", "file"), "content");
    for (const step of walk(bytes(root))) {
      if (step.type !== "file") continue;
      expect(Buffer.from(step.path).toString()).toBe(join(root, "in", "file"));
      expect(readFileSync(step.location as Buffer, "utf8")).toBe("content");
    }
    const [slash] = steps(`${root}/in/`).filter((step) => step.type === "file");
    expect(slash).toMatchObject({ path: bytes(`${root}/in/file`) });
  });

  it(`goes ${DEPTH_MAX} folders deep and no deeper`, () => {
    const root = newFolder();
    makeDeep(root, DEPTH_MAX - 1);
    expect(steps(root)).toHaveLength(2 * DEPTH_MAX);
    renameSync(join(root, "d"), join(root, "e"));
    mkdirSync(join(root, "d"));
    renameSync(join(root, "e"), join(root, "d", "d"));
    expect(failure(() => steps(root))).toMatchObject({
      code: "limit-exceeded",
      message: expect.stringContaining(`folders are nested more than ${DEPTH_MAX} deep`),
    });
    // Node's own rmSync runs out of stack.
    execFileSync("rm", ["-rf", root]);
  });

  it.each(["/absent", "/absent/below"])("fails on %s with not-found", (path) => {
    expect(failure(() => steps(folder + path))).toMatchObject({
      code: "not-found",
      message: `Cannot read "${folder}${path}": no such file or folder`,
    });
  });

  it("refuses what no store holds", () => {
    expect(failure(() => steps("/dev/null"))).toMatchObject({
      code: "invalid-argument",
      message: expect.stringContaining('"/dev/null": it is a character device'),
    });
  });

  it("does not leave folders open, however it ends", () => {
    const root = newFolder();
    mkdirSync(join(root, "a", "b"), { recursive: true });
    const open = () => readdirSync("/proc/self/fd").length;
    const before = open();
    for (const _step of walk(bytes(root))) break;
    steps(root);
    failure(() => {
      for (const step of walk(bytes(root))) {
        if (step.type === "folder" && step.name.length > 0) throw new Error("enough");
      }
    });
    expect(open()).toBe(before);
  });
});

describe("walk() on a tree that changes", () => {
  it("finds that a folder got another entry", () => {
    const root = newFolder();
    mkdirSync(join(root, "in"));
    const run = () => {
      for (const step of walk(bytes(root))) {
        if (step.type === "folder" && step.name.length > 0)
          writeFileSync(join(root, "in", "x"), "");
      }
    };
    expect(failure(run)).toMatchObject({
      code: "unavailable",
      message: `Cannot read "${root}/in": it changed while it was being read`,
    });
  });

  it("finds that an entry is gone", () => {
    const root = newFolder();
    writeFileSync(join(root, "a"), "");
    symlinkSync("x", join(root, "b"));
    const run = () => {
      for (const step of walk(bytes(root))) if (step.type === "file") rmSync(join(root, "b"));
    };
    expect(failure(run)).toMatchObject({ message: expect.stringContaining(`${root}/b`) });
  });

  it("does not follow a symlink that took the place of a folder", () => {
    const root = newFolder();
    mkdirSync(join(root, "b"));
    mkdirSync(join(root, "secret"));
    writeFileSync(join(root, "a"), "");
    const seen: string[] = [];
    const run = () => {
      for (const step of walk(bytes(root))) {
        seen.push(step.type);
        if (step.type !== "file") continue;
        renameSync(join(root, "b"), join(folder, `moved-${seen.length}`));
        symlinkSync(join(root, "secret"), join(root, "b"));
      }
    };
    expect(failure(run)).toMatchObject({
      code: "unavailable",
      message: `Cannot read "${root}/b": it changed while it was being read`,
    });
    expect(seen).toEqual(["folder", "file"]);
  });

  it("stays in a folder that was moved away and replaced", () => {
    const root = newFolder();
    mkdirSync(join(root, "in"));
    writeFileSync(join(root, "in", "file"), "right");
    const contents: string[] = [];
    const run = () => {
      for (const step of walk(bytes(root))) {
        if (step.type === "folder" && step.name.length > 0) {
          renameSync(join(root, "in"), join(folder, "away"));
          mkdirSync(join(root, "in"));
          writeFileSync(join(root, "in", "file"), "wrong");
        }
        if (step.type === "file") contents.push(readFileSync(step.location as Buffer, "utf8"));
      }
    };
    // It was renamed, which counts as a change.
    expect(failure(run)).toMatchObject({ code: "unavailable" });
    expect(contents).toEqual(["right"]);
  });

  it("does not mind that a file was written to: who reads it finds out", () => {
    const root = newFolder();
    writeFileSync(join(root, "file"), "");
    const descriptor = openSync(join(root, "file"), "a");
    for (const step of walk(bytes(root))) if (step.type === "file") appendFileSync(descriptor, "x");
    closeSync(descriptor);
  });
});
