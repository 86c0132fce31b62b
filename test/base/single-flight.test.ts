import { describe, expect, it } from "vitest";
import { SingleFlight } from "../../src/base/single-flight.js";

/** A task that ends when it is told to. */
class Task {
  started = 0;
  signal: AbortSignal | undefined;
  finish = (_result: string): void => {};
  fail = (_error: Error): void => {};

  readonly run = (signal: AbortSignal): Promise<string> => {
    this.started++;
    this.signal = signal;
    return new Promise((resolve, reject) => {
      this.finish = resolve;
      this.fail = reject;
    });
  };
}

describe("SingleFlight", () => {
  it("runs one task for all who ask while it is under way, and another one later", async () => {
    const flights = new SingleFlight<string>();
    const task = new Task();
    const asked = [1, 2, 3].map(() => flights.run("key", task.run));
    expect(task.started).toBe(1);
    task.finish("result");
    expect(await Promise.all(asked)).toEqual(["result", "result", "result"]);
    const again = flights.run("key", task.run);
    expect(task.started).toBe(2);
    task.finish("another");
    expect(await again).toBe("another");
  });

  it("keeps keys apart", async () => {
    const flights = new SingleFlight<string>();
    expect(
      await Promise.all(["a", "b"].map((key) => flights.run(key, async () => `of ${key}`))),
    ).toEqual(["of a", "of b"]);
  });

  it("fails all who wait, and forgets the failure", async () => {
    const flights = new SingleFlight<string>();
    const task = new Task();
    const asked = [1, 2].map(() => flights.run("key", task.run));
    task.fail(new Error("broken"));
    for (const each of asked) await expect(each).rejects.toThrow("broken");
    expect(await flights.run("key", async () => "mended")).toBe("mended");
  });

  it("lets one caller go while others wait", async () => {
    const flights = new SingleFlight<string>();
    const task = new Task();
    const stop = new AbortController();
    const left = flights.run("key", task.run, stop.signal);
    const stayed = flights.run("key", task.run);
    stop.abort();
    await expect(left).rejects.toMatchObject({ code: "aborted" });
    expect(task.signal?.aborted).toBe(false);
    task.finish("result");
    expect(await stayed).toBe("result");
  });

  it("ends the task when the last caller has left; the next starts anew", async () => {
    const flights = new SingleFlight<string>();
    const task = new Task();
    const stop = new AbortController();
    const left = [1, 2].map(() => flights.run("key", task.run, stop.signal));
    stop.abort();
    for (const each of left) await expect(each).rejects.toMatchObject({ code: "aborted" });
    expect(task.signal?.aborted).toBe(true);
    task.fail(new Error("nobody hears this"));
    expect(await flights.run("key", async () => "new")).toBe("new");
  });

  it("starts nothing for a caller that has given up already", async () => {
    const flights = new SingleFlight<string>();
    const task = new Task();
    const asked = flights.run("key", task.run, AbortSignal.abort());
    await expect(asked).rejects.toMatchObject({ code: "aborted" });
    expect(task.started).toBe(0);
  });

  it("leaves the signal of a task alone that has ended", async () => {
    const flights = new SingleFlight<number>();
    const signals: AbortSignal[] = [];
    const task = async (signal: AbortSignal) => signals.push(signal);
    expect(await flights.run("key", task)).toBe(1);
    await expect(
      flights.run("key", async (signal) => {
        signals.push(signal);
        throw new Error("failed");
      }),
    ).rejects.toThrow("failed");
    expect(signals.map(({ aborted }) => aborted)).toEqual([false, false]);
  });
});
