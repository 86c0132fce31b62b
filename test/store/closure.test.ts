import { describe, expect, it } from "vitest";
import { closureOf } from "../../src/store/closure.js";
import { MemoryPathInfoService } from "../../src/store/path-info/memory.js";
import type { PathInfo } from "../../src/store/path-info.js";
import { StorePath } from "../../src/store/store-path.js";
import { DUMMY_PATH_INFO } from "./support/path-info.js";

/** `references` by name: every path is called by its number. */
async function storeOf(references: readonly (readonly number[])[]) {
  const pathOf = (number: number): StorePath => {
    const hash = Buffer.alloc(20);
    hash.writeUInt32LE(number);
    return StorePath.from(hash, `${number}`);
  };
  const { ca: _, ...dummy } = DUMMY_PATH_INFO;
  const service = new MemoryPathInfoService();
  const pathInfos: PathInfo[] = [];
  for (const [number, of] of references.entries()) {
    pathInfos.push(
      await service.put({ ...dummy, storePath: pathOf(number), references: of.map(pathOf) }),
    );
  }
  return { service, pathInfos };
}

async function closure(references: readonly (readonly number[])[], ...roots: number[]) {
  const { service, pathInfos } = await storeOf(references);
  const names: number[] = [];
  const chosen = roots.map((root) => pathInfos[root] as PathInfo);
  for await (const { storePath } of closureOf(chosen, service)) names.push(Number(storePath.name));
  return names;
}

describe("closureOf()", () => {
  it("gives each path once, after what it refers to", async () => {
    expect(await closure([[1, 2], [3], [3], []], 0)).toEqual([3, 1, 2, 0]);
    expect(await closure([[1, 2], [3], [3], []], 2, 0, 2)).toEqual([3, 2, 1, 0]);
    expect(await closure([[], []])).toEqual([]);
  });

  it("gets by with paths that refer to themselves, or in a circle", async () => {
    expect(await closure([[0, 1], [1]], 0)).toEqual([1, 0]);
    expect(await closure([[1], [2], [0]], 0)).toEqual([2, 1, 0]);
  });

  it("follows a chain of any length", async () => {
    const chain = Array.from({ length: 20_000 }, (_, index) => (index === 0 ? [] : [index - 1]));
    expect(await closure(chain, 19_999)).toHaveLength(20_000);
  });

  it("names who refers to what is not there", async () => {
    await expect(closure([[1], [7]], 0)).rejects.toMatchObject({
      code: "dangling-reference",
      message: expect.stringMatching(/-1 refers to .*-7, which is not in the store/),
    });
  });
});
