import { beforeEach, describe, expect, test } from "vitest";
import { StoreError } from "../../../src/base/errors.js";
import { CircuitBreaker } from "../../../src/store/substitution/circuit-breaker.js";

const OUTAGE = new StoreError("unavailable", "it is down");

let nowMs: number;
let pauses: number[];
let breaker: CircuitBreaker;
let asked: number;

beforeEach(() => {
  nowMs = 0;
  pauses = [];
  asked = 0;
  breaker = new CircuitBreaker({
    name: "the server",
    pauseMs: 100,
    pauseMsMax: 300,
    now: () => nowMs,
    onOpen: (pauseMs) => pauses.push(pauseMs),
  });
});

async function answer(): Promise<string> {
  asked++;
  return "answer";
}

async function fail(error: unknown = OUTAGE): Promise<never> {
  asked++;
  throw error;
}

describe("CircuitBreaker", () => {
  test("leaves a server alone that was unavailable, and says why", async () => {
    await expect(breaker.run(fail)).rejects.toBe(OUTAGE);
    nowMs = 99;
    await expect(breaker.run(answer)).rejects.toMatchObject({
      code: "unavailable",
      message: "the server is not asked for a while: it is down",
    });
    expect(asked).toBe(1);
  });

  test("asks again after the pause, and goes on when that went well", async () => {
    await expect(breaker.run(fail)).rejects.toBe(OUTAGE);
    nowMs = 100;
    expect(await breaker.run(answer)).toBe("answer");
    expect(await breaker.run(answer)).toBe("answer");
  });

  test("goes on when what it asked for is refused or wrong: then there is a server", async () => {
    await expect(breaker.run(fail)).rejects.toBe(OUTAGE);
    nowMs = 100;
    const refusal = new StoreError("corrupt", "that is no narinfo");
    await expect(breaker.run(() => fail(refusal))).rejects.toBe(refusal);
    expect(await Promise.all([breaker.run(answer), breaker.run(answer)])).toHaveLength(2);
  });

  test("lets one task try, and the others wait for its outcome elsewhere", async () => {
    await expect(breaker.run(fail)).rejects.toBe(OUTAGE);
    nowMs = 100;
    let finish = (_answer: string): void => {};
    const probe = breaker.run(() => new Promise<string>((resolve) => (finish = resolve)));
    await expect(breaker.run(answer)).rejects.toMatchObject({ code: "unavailable" });
    finish("probe");
    expect(await probe).toBe("probe");
    expect(await breaker.run(answer)).toBe("answer");
  });

  test("pauses for longer each time, up to a limit", async () => {
    for (let round = 0; round < 4; round++) {
      await expect(breaker.run(fail)).rejects.toBe(OUTAGE);
      nowMs += 1000;
    }
    expect(pauses).toEqual([100, 200, 300, 300]);
  });

  test("counts tasks that failed together once", async () => {
    await Promise.allSettled([breaker.run(fail), breaker.run(fail), breaker.run(fail)]);
    expect(pauses).toEqual([100]);
  });

  test.each(["corrupt", "permission-denied", "aborted"] as const)(
    "goes on after an answer that is %s: the server is there",
    async (code) => {
      const error = new StoreError(code, "no");
      await expect(breaker.run(() => fail(error))).rejects.toBe(error);
      expect(await breaker.run(answer)).toBe("answer");
    },
  );
});
