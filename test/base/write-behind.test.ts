import { setImmediate } from "node:timers/promises";
import { describe, expect, it } from "vitest";
import { WriteBehind } from "../../src/base/write-behind.js";

function make(bytesMax = 1000, delayMs = 0) {
  const failures: unknown[] = [];
  const onFailure = (error: unknown) => void failures.push(error);
  return { failures, behind: new WriteBehind<string>({ bytesMax, delayMs, onFailure }) };
}

describe("WriteBehind", () => {
  it("has a value until it is written", async () => {
    const { behind } = make();
    let finish = (): void => {};
    const written = new Promise<void>((resolve) => {
      finish = resolve;
    });
    await behind.add("key", "value", 1, () => written);
    expect(behind.get("key")).toBe("value");
    finish();
    await behind.settle();
    expect(behind.get("key")).toBeUndefined();
  });

  it("starts the writes of a while together, and at once when they are waited for", async () => {
    const { behind } = make(1000, 60_000);
    const started: string[] = [];
    for (const key of ["a", "b", "a"]) {
      await behind.add(key, key, 1, async () => started.push(key));
    }
    await setImmediate();
    expect(started).toEqual([]);
    await behind.settle();
    expect(started).toEqual(["a", "b"]);
  });

  it("waits for room", async () => {
    const { behind } = make(10, 60_000);
    let finish = (): void => {};
    const written = new Promise<void>((resolve) => {
      finish = resolve;
    });
    await behind.add("a", "a", 8, () => written);
    let isAdded = false;
    const adding = behind
      .add("b", "b", 8, () => written)
      .then(() => {
        isAdded = true;
      });
    await setImmediate();
    expect(isAdded).toBe(false);
    finish();
    await adding;
  });

  it("tells of failures, and takes the value again", async () => {
    const { behind, failures } = make();
    const error = new Error("full");
    await behind.add("key", "value", 1, () => Promise.reject(error));
    await behind.settle();
    expect([failures, behind.get("key")]).toEqual([[error], undefined]);
    await behind.add("key", "value", 1, async () => {});
    await behind.settle();
    expect(failures).toHaveLength(1);
  });
});
