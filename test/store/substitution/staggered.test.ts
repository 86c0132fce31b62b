import { describe, expect, test } from "vitest";
import { staggered } from "../../../src/store/substitution/staggered.js";

const LONG_MS = 600_000;

async function all<T>(source: AsyncIterable<T>): Promise<T[]> {
  const items: T[] = [];
  for await (const item of source) items.push(item);
  return items;
}

describe("staggered()", () => {
  test("asks the next one only when the caller wants more", async () => {
    const asked: number[] = [];
    const ask = async (item: number) => {
      asked.push(item);
      return item;
    };
    for await (const answer of staggered([1, 2, 3], LONG_MS, ask, undefined)) {
      if (answer === 2) break;
    }
    expect(asked).toEqual([1, 2]);
  });

  test("asks the next one when patience is over, and still takes the late answer", async () => {
    let answerLate = (_answer: string): void => {};
    const ask = (item: string): Promise<string> => {
      if (item === "quick") return Promise.resolve("quick");
      return new Promise((resolve) => {
        answerLate = resolve;
      });
    };
    const answers = staggered(["slow", "quick"], 1, ask, undefined);
    expect((await answers.next()).value).toBe("quick");
    answerLate("late");
    expect((await answers.next()).value).toBe("late");
    expect((await answers.next()).done).toBe(true);
  });

  test("asks all of them, nobody included", async () => {
    const ask = async (item: number) => item * 2;
    expect(await all(staggered([1, 2, 3], 0, ask, undefined))).toEqual([2, 4, 6]);
    expect(await all(staggered([], 0, ask, undefined))).toEqual([]);
  });

  test("stops waiting when the signal fires", async () => {
    const stop = new AbortController();
    const waiting = all(staggered([1], LONG_MS, () => new Promise(() => {}), stop.signal));
    stop.abort();
    await expect(waiting).rejects.toMatchObject({ code: "aborted" });
  });
});
