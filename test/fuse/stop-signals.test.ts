import { EventEmitter } from "node:events";
import { afterEach, describe, expect, test, vi } from "vitest";
import { StopSignals } from "../../src/fuse/stop-signals.js";

afterEach(() => {
  vi.restoreAllMocks();
});

describe("StopSignals", () => {
  test("counts signals of all kinds and resolves who waits for them", async () => {
    const clock = vi.spyOn(performance, "now").mockReturnValue(0);
    const source = new EventEmitter();
    const stop = new StopSignals(source);
    const second = stop.wait(2);
    source.emit("SIGINT");
    await stop.wait(1);
    clock.mockReturnValue(1000);
    source.emit("SIGTERM");
    await second;
    expect(stop.count).toBe(2);
  });

  test("takes signals in quick succession for one", () => {
    const clock = vi.spyOn(performance, "now").mockReturnValue(5000);
    const source = new EventEmitter();
    const stop = new StopSignals(source);
    source.emit("SIGINT");
    clock.mockReturnValue(5050);
    source.emit("SIGINT");
    expect(stop.count).toBe(1);
  });

  test("leaves signals alone once closed", () => {
    const source = new EventEmitter();
    new StopSignals(source).close();
    expect(source.eventNames()).toEqual([]);
  });
});
