import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, test, vi } from "vitest";
import { WorkerPool } from "../../../src/fuse/kernel/worker-pool.js";
import type { WorkerMessage } from "../../../src/fuse/kernel/worker-protocol.js";
import { RecordingLog } from "../support/recording-log.js";
import { CONNECTION } from "./support/conversation.js";

/** A thread that does what its number in `plan` says, one plan for each thread. */
const THREAD = `
import { parentPort, workerData } from "node:worker_threads";
const { recipe: { plan, taken }, start: { device } } = workerData;
const mine = plan[Atomics.add(new Int32Array(taken), 0, 1)];
if (device !== -7) throw new Error("no device");
parentPort.postMessage({ type: "serving" });
if (mine === "throw") throw new Error("broken thread");
if (mine === "exit") process.exit(3);
if (mine === "late") await new Promise((resolve) => setTimeout(resolve, 200));
`;

const module = new URL(`data:text/javascript,${encodeURIComponent(THREAD)}`);

type Deed = "end" | "late" | "throw" | "exit";

function start(...plan: readonly Deed[]) {
  return startAfter(0, ...plan);
}

/** All but the first thread follow after `aloneMs`. */
function startAfter(aloneMs: number, ...plan: readonly Deed[]) {
  const log = new RecordingLog();
  const messages: WorkerMessage[] = [];
  const recipe = { plan, taken: new SharedArrayBuffer(4) };
  const pool = new WorkerPool({ module, recipe, count: plan.length, log, aloneMs });
  const serve = () =>
    pool.serve({ device: -7, connection: CONNECTION, backing: undefined }, (message) =>
      messages.push(message),
    );
  const taken = () => new Int32Array(recipe.taken)[0];
  return { pool, log, messages, taken, serve };
}

describe("WorkerPool", () => {
  test("ends when all threads have ended, and has passed on what they said", async () => {
    const { pool, log, messages, serve } = start("late", "late", "end");
    serve();
    await pool.ended;
    await pool.close();
    expect(messages).toEqual([{ type: "serving" }, { type: "serving" }, { type: "serving" }]);
    expect(log.lines).toEqual([]);
  });

  test("starts no thread before there is something to serve, and closes without any", async () => {
    const { pool, taken } = start("late", "end");
    await sleep(300);
    await pool.close();
    expect(taken()).toBe(0);
  });

  test("starts the others when the first one serves, so that they do not delay it", async () => {
    const { pool, messages, taken, serve } = start("late", "end");
    serve();
    await vi.waitFor(() => expect(messages).toHaveLength(2));
    expect(taken()).toBe(2);
    await pool.ended;
    await pool.close();
  });

  test("lets the first one serve alone for a moment", async () => {
    const { pool, messages, taken, serve } = startAfter(60_000, "late", "end");
    serve();
    await pool.ended;
    await pool.close();
    expect([taken(), messages]).toEqual([1, [{ type: "serving" }]]);
  });

  test.each(["throw", "exit"] as const)(
    "logs a thread that fails (%s) and ends well while another one does",
    async (failing) => {
      for (const plan of [
        [failing, "late"],
        ["late", failing],
        [failing, failing, "late"],
      ] as const) {
        const { pool, log, serve } = start(...plan);
        serve();
        await expect(pool.ended).resolves.toBeUndefined();
        await pool.close();
        const failures = plan.filter((one) => one === failing).length;
        expect(log.lines.map(({ message }) => message)).toEqual(
          Array.from({ length: failures }, () =>
            expect.stringMatching(
              /^A thread that serves the mount has failed: .*(broken thread|code 3)$/,
            ),
          ),
        );
      }
    },
  );

  test("fails when no thread is left", async () => {
    const { pool, log, serve } = start("throw", "exit");
    serve();
    await expect(pool.ended).rejects.toMatchObject({
      code: "internal",
      message: expect.stringMatching(/^No thread is left to serve the mount: /),
    });
    await pool.close();
    expect(log.lines.length).toBe(2);
  });

  test("makes the process end without waiting for threads, for as long as there are any", async () => {
    const before = process.listenerCount("exit");
    const { pool, serve } = start("late");
    expect(process.listenerCount("exit")).toBe(before);
    serve();
    expect(process.listenerCount("exit")).toBe(before + 1);
    await pool.ended;
    await pool.close();
    expect(process.listenerCount("exit")).toBe(before);
  });
});
