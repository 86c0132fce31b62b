import { setImmediate } from "node:timers/promises";
import { describe, expect, test } from "vitest";
import { gathered } from "../../src/base/gathered.js";

/** Gives `text` in pieces of `length` on memory that it uses again, then ends as it is told. */
class Source implements AsyncIterable<Uint8Array> {
  given = 0;
  isClosed = false;
  readonly #text: string;
  readonly #length: number;
  readonly #end: "end" | "fail" | "wait";

  constructor(text: string, length: number, end: "end" | "fail" | "wait" = "end") {
    this.#text = text;
    this.#length = length;
    this.#end = end;
  }

  async *[Symbol.asyncIterator]() {
    const memory = Buffer.alloc(this.#length);
    try {
      for (let at = 0; at < this.#text.length; at += this.#length) {
        const piece = memory.subarray(0, memory.write(this.#text.slice(at, at + this.#length)));
        this.given += piece.length;
        yield piece;
      }
      if (this.#end === "fail") throw new Error("no more text");
      if (this.#end === "wait") await new Promise(() => {});
    } finally {
      this.isClosed = true;
    }
  }
}

/** What a consumer gets that lets everything happen before it takes the next piece. */
async function slowly(pieces: AsyncIterable<Uint8Array>): Promise<string[]> {
  const seen: string[] = [];
  for await (const piece of pieces) {
    await setImmediate();
    seen.push(String(piece));
  }
  return seen;
}

describe("gathered()", () => {
  test("gives what has come since, up to the limit", async () => {
    const source = new Source("abcdefghijklmnopqrstuvwxyz", 3);
    // The first is there at once, and while the consumer is at one piece the next fills up.
    expect(await slowly(gathered(source, 8))).toEqual(["abc", "defghijk", "lmnopqrs", "tuvwxyz"]);
    expect(source.isClosed).toBe(true);
  });

  test("takes pieces that are larger than the limit apart", async () => {
    expect(await slowly(gathered(new Source("abcdefghijk", 9), 4))).toEqual([
      "abcd",
      "efgh",
      "ijk",
    ]);
  });

  test("reads no further ahead than the limit and one piece", async () => {
    const source = new Source("x".repeat(1000), 10);
    const pieces = gathered(source, 40);
    await pieces.next();
    await setImmediate();
    // 10 were taken, 40 are waiting, and the next 10 have no room.
    expect(source.given).toBe(60);
    await pieces.return(undefined);
    expect(source.isClosed).toBe(true);
  });

  test("fails where the source does, after what came before", async () => {
    const pieces = gathered(new Source("abcdef", 3, "fail"), 100);
    expect(String((await pieces.next()).value)).toBe("abc");
    await setImmediate();
    expect(String((await pieces.next()).value)).toBe("def");
    await expect(pieces.next()).rejects.toThrow("no more text");
  });

  test("lets a consumer stop while the source is yet to answer", async () => {
    const pieces = gathered(new Source("abc", 3, "wait"), 100);
    await pieces.next();
    await setImmediate();
    expect(await pieces.return(undefined)).toEqual({ done: true, value: undefined });
  });

  test("gives nothing for nothing", async () => {
    expect(await slowly(gathered(new Source("", 1), 100))).toEqual([]);
  });
});
