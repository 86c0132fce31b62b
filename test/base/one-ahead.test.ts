import { setImmediate } from "node:timers/promises";
import { describe, expect, test } from "vitest";
import { oneAhead } from "../../src/base/one-ahead.js";

/** Counts how far a consumer has made it go, and fails or waits for ever after its last number. */
class Source implements AsyncIterable<number> {
  asked = 0;
  isClosed = false;
  readonly #length: number;
  readonly #end: "end" | "fail" | "wait";

  constructor(length: number, end: "end" | "fail" | "wait" = "end") {
    this.#length = length;
    this.#end = end;
  }

  async *[Symbol.asyncIterator]() {
    try {
      for (let number = 1; number <= this.#length; number++) {
        this.asked = number;
        yield number;
      }
      this.asked = this.#length + 1;
      if (this.#end === "fail") throw new Error("no more numbers");
      if (this.#end === "wait") await new Promise(() => {});
    } finally {
      this.isClosed = true;
    }
  }
}

describe("oneAhead()", () => {
  test("has the source work on the next piece, and on no other, while the consumer is at one", async () => {
    const source = new Source(4);
    const seen: [number, number][] = [];
    for await (const number of oneAhead(source, () => false)) {
      await setImmediate();
      seen.push([number, source.asked]);
    }
    expect(seen).toEqual([
      [1, 2],
      [2, 3],
      [3, 4],
      [4, 5],
    ]);
    expect(source.isClosed).toBe(true);
  });

  test("fails where the source does, and not for a consumer that stops before", async () => {
    const numbers = oneAhead(new Source(1, "fail"), () => false);
    expect(await numbers.next()).toEqual({ done: false, value: 1 });
    // What has failed by now is nobody's unhandled rejection.
    await setImmediate();
    await expect(numbers.next()).rejects.toThrow("no more numbers");

    const others = oneAhead(new Source(1, "fail"), () => false);
    await others.next();
    await setImmediate();
    expect(await others.return(undefined)).toEqual({ done: true, value: undefined });
  });

  test("lets go of the source when the consumer does, after the piece under way", async () => {
    const source = new Source(9);
    for await (const number of oneAhead(source, () => false)) if (number === 3) break;
    expect([source.asked, source.isClosed]).toEqual([4, true]);
  });

  test("does not wait for a source that may never answer", async () => {
    const source = new Source(1, "wait");
    for await (const _ of oneAhead(source, () => true)) break;
    expect(source.asked).toBe(2);
  });
});
