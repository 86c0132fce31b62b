import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import {
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { StoreError } from "../../../src/base/errors.js";
import { removeTree } from "../../../src/base/remove-tree.js";
import { ingestTree } from "../../../src/store/import/ingest.js";
import { restoreNar } from "../../../src/store/nar/restore.js";
import { noise } from "../../support/bytes.js";
import { nixObstacle } from "../../support/real-nix.js";
import { temporaryFolder } from "../../support/temp.js";
import { NAR_FIXTURES } from "../support/nar-fixtures.js";
import {
  directory,
  file,
  memoryServices,
  symlink,
  type Tree,
  treeArbitrary,
} from "../support/tree.js";
import { MALFORMED_NARS } from "./support/malformed.js";
import { narOf, singly } from "./support/nar.js";

const folder = temporaryFolder();
const newFolder = () => mkdtempSync(join(folder, "case-"));
const newPath = () => join(newFolder(), "tree");

function restore(nar: Uint8Array, path: string): Promise<void> {
  return restoreNar([nar], Buffer.from(path));
}

/** The NAR hash of what is at `path`, found by walking it. */
async function hashOf(path: string): Promise<Buffer> {
  return Buffer.from((await ingestTree(Buffer.from(path), memoryServices())).narSha256);
}

async function expectTree(path: string, tree: Tree): Promise<void> {
  expect(await hashOf(path)).toEqual(createHash("sha256").update(narOf(tree)).digest());
}

function nested(levels: number): Tree {
  let tree: Tree = file("bottom");
  for (let level = 0; level < levels; level++) tree = directory({ "a longer name": tree });
  return tree;
}

describe("restoreNar()", () => {
  it.each(NAR_FIXTURES)("unpacks $title", async ({ tree }) => {
    const path = newPath();
    await restore(narOf(tree), path);
    await expectTree(path, tree);
  });

  it("unpacks any tree, also byte by byte", async () => {
    await fc.assert(
      fc.asyncProperty(treeArbitrary, async (tree) => {
        const nar = narOf(tree);
        for (const chunks of [[nar], singly(nar)]) {
          const path = newPath();
          await restoreNar(chunks, Buffer.from(path));
          await expectTree(path, tree);
        }
      }),
      { numRuns: 40 },
    );
  });

  it("unpacks what no path is short enough to name", async () => {
    const path = newPath();
    await restore(narOf(nested(1000)), path);
    await expectTree(path, nested(1000));
    removeTree(Buffer.from(path));
    expect(existsSync(path)).toBe(false);
  });

  it("gives files and folders the modes the umask leaves, and everyone the right to execute", async () => {
    const path = newPath();
    const mask = process.umask(0o027);
    try {
      await restore(narOf(directory({ plain: file("x"), program: file("x", true) })), path);
    } finally {
      process.umask(mask);
    }
    const modeOf = (name: string) => statSync(join(path, name)).mode & 0o7777;
    expect([modeOf("."), modeOf("plain"), modeOf("program")]).toEqual([0o750, 0o640, 0o751]);
  });

  it.each([
    ["a file", (path: string) => writeFileSync(path, "mine")],
    ["a folder", (path: string) => mkdirSync(path)],
    ["a symlink", (path: string) => symlinkSync("elsewhere", path)],
  ])("does not touch %s that is there already", async (_title, make) => {
    for (const tree of [file("x"), symlink("x"), directory({ a: file("x") })]) {
      const path = newPath();
      make(path);
      await expect(restore(narOf(tree), path)).rejects.toMatchObject({
        code: "invalid-argument",
        message: `Cannot restore "${path}": it exists already`,
      });
      expect(lstatSync(path).isDirectory() ? readdirSync(path) : []).toEqual([]);
      if (lstatSync(path).isFile()) expect(readFileSync(path, "utf8")).toBe("mine");
      if (lstatSync(path).isSymbolicLink()) expect(readlinkSync(path)).toBe("elsewhere");
      expect(existsSync(join(path, "..", "elsewhere"))).toBe(false);
    }
  });

  it("says which folder is missing", async () => {
    const path = join(newFolder(), "no", "tree");
    await expect(restore(narOf(file("x")), path)).rejects.toMatchObject({
      code: "not-found",
      message: expect.stringContaining(path),
    });
  });

  it.each(MALFORMED_NARS)("leaves nothing of $title", async ({ nar }) => {
    const path = newPath();
    await expect(restore(nar, path)).rejects.toMatchObject({ code: "invalid-argument" });
    expect(readdirSync(join(path, ".."))).toEqual([]);
  });

  it("leaves nothing of a NAR that breaks off, wherever it does", async () => {
    const nar = narOf(directory({ a: file(noise(20)), b: directory({ c: symlink("x") }) }));
    for (let length = 0; length < nar.length; length += 7) {
      const path = newPath();
      await expect(restore(nar.subarray(0, length), path)).rejects.toThrow(StoreError);
      expect(readdirSync(join(path, ".."))).toEqual([]);
    }
  });

  it("leaves nothing of a deep tree that breaks off", async () => {
    const nar = narOf(nested(1000));
    const path = newPath();
    await expect(restore(nar.subarray(0, nar.length - 8), path)).rejects.toThrow(StoreError);
    expect(existsSync(path)).toBe(false);
  });

  it("stops, and leaves nothing, when its signal fires while it waits", async () => {
    const path = newPath();
    const nar = narOf(directory({ a: file(noise(20)), b: file("x") }));
    const abort = new AbortController();
    const source = async function* () {
      yield nar.subarray(0, 200);
      abort.abort();
      await new Promise(() => {});
    };
    const restoring = restoreNar(source(), Buffer.from(path), { signal: abort.signal });
    await expect(restoring).rejects.toMatchObject({ code: "aborted" });
    expect(existsSync(path)).toBe(false);
  });

  it("removes symlinks of what it made, not what they point at", async () => {
    const precious = join(newFolder(), "precious");
    mkdirSync(precious);
    writeFileSync(join(precious, "file"), "x");
    const path = newPath();
    const nar = narOf(directory({ a: symlink(precious), b: file("x") }));
    await expect(restore(nar.subarray(0, nar.length - 8), path)).rejects.toThrow(StoreError);
    expect(existsSync(path)).toBe(false);
    expect(readdirSync(precious)).toEqual(["file"]);
  });
});

/** A process for each of many NARs; seconds on an idle machine. */
const NIX_TIMEOUT_MS = 300_000;

describe.skipIf(nixObstacle !== undefined)("restoreNar() beside nix-store --restore", () => {
  /** Whether Nix takes `nar`, and where it put it. */
  function nixRestores(nar: Uint8Array): string | undefined {
    const path = newPath();
    try {
      execFileSync("nix-store", ["--restore", path], { input: nar, stdio: "pipe" });
      return path;
    } catch {
      return undefined;
    }
  }

  it(
    "agrees on generated trees, both ways",
    async () => {
      await fc.assert(
        fc.asyncProperty(treeArbitrary, async (tree) => {
          const nar = narOf(tree);
          const theirs = nixRestores(nar);
          expect(theirs).toBeDefined();
          await expectTree(theirs as string, tree);
          const ours = newPath();
          await restore(
            execFileSync("nix-store", ["--dump", theirs as string], { maxBuffer: 1 << 28 }),
            ours,
          );
          await expectTree(ours, tree);
        }),
        { numRuns: 20 },
      );
    },
    NIX_TIMEOUT_MS,
  );

  it(
    "refuses whatever Nix refuses of mutated NARs",
    async () => {
      const nar = narOf(directory({ a: file("1", true), b: symlink("a"), c: directory({}) }));
      let refused = 0;
      for (let offset = 0; offset < nar.length; offset += 23) {
        const mutated = Buffer.from(nar);
        mutated[offset] = (mutated[offset] as number) ^ (1 << (offset % 7));
        if (nixRestores(mutated) !== undefined) continue;
        refused++;
        await expect(restore(mutated, newPath())).rejects.toThrow(StoreError);
      }
      expect(refused).toBeGreaterThan(10);
    },
    NIX_TIMEOUT_MS,
  );
});
