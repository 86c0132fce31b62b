import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, it } from "vitest";
import { mapOrdered, TaskPool } from "../../src/base/concurrency.js";

describe("mapOrdered()", () => {
  it("keeps the order and the limit", async () => {
    let running = 0;
    let most = 0;
    const results: number[] = [];
    const double = async (value: number) => {
      most = Math.max(most, ++running);
      await sleep(value % 3);
      running--;
      return value * 2;
    };
    for await (const result of mapOrdered(Array(50).keys(), 4, double)) results.push(result);
    expect(results).toEqual(Array.from(Array(50).keys(), (value) => value * 2));
    expect(most).toBe(4);
  });

  it("throws the first failure in order, after the calls under way have ended", async () => {
    let ended = 0;
    const fail = async (value: number) => {
      await sleep(value === 1 ? 1 : 5);
      ended++;
      if (value >= 1) throw new Error(`failed at ${value}`);
      return value;
    };
    const drain = async () => {
      for await (const _ of mapOrdered([0, 1, 2, 3], 4, fail));
    };
    await expect(drain()).rejects.toThrow("failed at 1");
    expect(ended).toBe(4);
  });
});

describe("TaskPool", () => {
  it("holds back who waits until it is ready", async () => {
    const pool = new TaskPool(3);
    let running = 0;
    let most = 0;
    for (let index = 0; index < 20; index++) {
      await pool.ready();
      void pool.run(async () => {
        most = Math.max(most, ++running);
        await sleep(1);
        running--;
      });
    }
    await pool.settle();
    expect(most).toBe(3);
    expect(running).toBe(0);
  });

  it("remembers the first failure for the next who is about to start something", async () => {
    const pool = new TaskPool(1);
    const failing = pool.run(async () => {
      throw new Error("disk full");
    });
    await expect(failing).rejects.toThrow("disk full");
    await expect(pool.ready()).rejects.toThrow("disk full");
    await pool.settle();
  });
});
