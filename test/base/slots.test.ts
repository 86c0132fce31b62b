import { describe, expect, test } from "vitest";
import { Slots } from "../../src/base/slots.js";

describe("Slots", () => {
  test("are given in the order in which they were asked for", async () => {
    const slots = new Slots(1);
    const order: string[] = [];
    const first = await slots.take();
    const others = ["a", "b"].map(async (name) => {
      using _slot = await slots.take();
      order.push(name);
    });
    expect(order).toEqual([]);
    first[Symbol.dispose]();
    await Promise.all(others);
    expect(order).toEqual(["a", "b"]);
  });

  test("are given back once, however often they are disposed of", async () => {
    const slots = new Slots(1);
    const first = await slots.take();
    first[Symbol.dispose]();
    first[Symbol.dispose]();
    await slots.take();
    const abort = new AbortController();
    const second = slots.take(abort.signal);
    abort.abort();
    await expect(second).rejects.toMatchObject({ code: "aborted" });
  });

  test("pass over those who have stopped waiting", async () => {
    const slots = new Slots(1);
    const first = await slots.take();
    const abort = new AbortController();
    const gone = slots.take(abort.signal);
    const next = slots.take();
    abort.abort();
    await expect(gone).rejects.toMatchObject({ code: "aborted" });
    first[Symbol.dispose]();
    (await next)[Symbol.dispose]();
    (await slots.take())[Symbol.dispose]();
  });
});
