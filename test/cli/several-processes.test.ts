import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { noise } from "../support/bytes.js";
import { TestStore } from "../support/cli.js";
import { temporaryFolder } from "../support/temp.js";

const folder = temporaryFolder();

/** Half of what is in it is the same for every `seed`. */
function tree(name: string, seed: number): string {
  const path = join(folder, name);
  mkdirSync(join(path, "shared"), { recursive: true });
  mkdirSync(join(path, "own"));
  for (let index = 0; index < 200; index++) {
    writeFileSync(join(path, "shared", `${index}`), noise(2000 + index, index + 1));
    writeFileSync(join(path, "own", `${index}`), noise(2000 + index, seed * 1000 + index));
  }
  writeFileSync(join(path, "shared", "large"), noise(2_000_000, 7));
  writeFileSync(join(path, "own", "large"), noise(2_000_000, seed * 1000));
  return path;
}

describe("Several processes on one store", () => {
  test("may import at the same time, into a store that none has made yet", async () => {
    const store = new TestStore();
    const trees = Array.from({ length: 6 }, (_, index) => tree(`tree-${index}`, index + 1));
    const paths = await Promise.all(trees.map((each) => store.import(each)));
    expect(new Set(paths).size).toBe(trees.length);
    expect((await store.readBack()).sort()).toEqual(paths.sort());
  });

  test("may import the same tree at the same time", async () => {
    const store = new TestStore();
    const same = tree("same", 99);
    const paths = await Promise.all(Array.from({ length: 5 }, () => store.import(same)));
    expect(new Set(paths).size).toBe(1);
    expect(await store.readBack()).toEqual([paths[0]]);
  });

  test("may read while others import", async () => {
    const store = new TestStore();
    const first = await store.import(tree("first", 50));
    const imports = [51, 52, 53].map((seed) => store.import(tree(`while-${seed}`, seed)));
    for (let round = 0; round < 4; round++) expect(await store.readBack()).toContain(first);
    await Promise.all(imports);
    expect(await store.readBack()).toHaveLength(4);
  });
});
