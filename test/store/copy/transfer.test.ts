import { describe, expect, it } from "vitest";
import { runTransfers, type Transfer } from "../../../src/store/copy/transfer.js";
import { StorePath } from "../../../src/store/store-path.js";

const SILENT = { onPlan: () => {}, onBytes: () => {}, onDone: () => {} };
const NEVER = new AbortController().signal;

function pathOf(number: number): StorePath {
  const hash = Buffer.alloc(StorePath.HASH_BYTES);
  hash.writeUInt32LE(number);
  return StorePath.from(hash, `${number}`);
}

interface Behaviour {
  /** Called when the content is there, before the references are waited for. */
  readonly work?: (number: number, signal: AbortSignal) => Promise<void>;
  readonly present?: readonly number[];
}

/** Transfers by number; `visible` has them in the order in which they became visible. */
function transfersOf(
  references: readonly (readonly number[])[],
  { work, present }: Behaviour = {},
) {
  const visible: number[] = [];
  const transfers = references.map(
    (of, number): Transfer => ({
      storePath: pathOf(number),
      references: of.map(pathOf),
      narSize: 10n,
      isPresent: async () => present?.includes(number) ?? false,
      move: async ({ signal, referencesDone }) => {
        await work?.(number, signal);
        await referencesDone;
        visible.push(number);
        return { bytes: number };
      },
    }),
  );
  return { transfers, visible };
}

describe("runTransfers()", () => {
  it("makes nothing visible before what it refers to, whatever is ready first", async () => {
    let release = (): void => {};
    const held = new Promise<void>((resolve) => {
      release = resolve;
    });
    const ready: number[] = [];
    const { transfers, visible } = transfersOf([[], [0], [1, 0], []], {
      work: async (number) => {
        if (number === 0) await held;
        ready.push(number);
        if (ready.length === 3) release();
      },
    });
    await runTransfers(transfers, SILENT, NEVER);
    expect(ready.at(-1)).toBe(0);
    expect(visible).toEqual([3, 0, 1, 2]);
  });

  it("moves what is not there, and tells of each in order", async () => {
    const { transfers, visible } = transfersOf([[], [0], [1]], { present: [0, 2] });
    const planned: string[] = [];
    const onPlan = (missing: readonly Transfer[]) =>
      planned.push(...missing.map(({ storePath }) => storePath.name));
    const results = await runTransfers(transfers, { ...SILENT, onPlan }, NEVER);
    expect(planned).toEqual(["1"]);
    expect(visible).toEqual([1]);
    expect(results.map(({ storePath, moved }) => [storePath.name, moved?.bytes])).toEqual([
      ["0", undefined],
      ["1", 1],
      ["2", undefined],
    ]);
  });

  it("stops the others when one fails, and leaves nothing visible that refers to it", async () => {
    const stopped: number[] = [];
    let begun = 0;
    let fail = (_error: Error): void => {};
    const failing = new Promise<void>((_, reject) => {
      fail = reject;
    });
    const { transfers, visible } = transfersOf([[], [0], [], [], [], [], []], {
      work: async (number, signal) => {
        if (number === 0) return await failing;
        const aborted = new Promise((resolve) => signal.addEventListener("abort", resolve));
        if (++begun === 3) fail(new Error("no room"));
        await aborted;
        stopped.push(number);
        signal.throwIfAborted();
      },
    });
    await expect(runTransfers(transfers, SILENT, NEVER)).rejects.toThrow("no room");
    expect(visible).toEqual([]);
    // Four at once: the rest were never begun.
    expect(stopped.sort()).toEqual([1, 2, 3]);
  });

  it("ends when its signal fires, after what is under way", async () => {
    const abort = new AbortController();
    let isOver = false;
    const { transfers } = transfersOf([[]], {
      work: async (_, signal) => {
        const aborted = new Promise((resolve) => signal.addEventListener("abort", resolve));
        abort.abort(new Error("enough"));
        await aborted;
        isOver = true;
        signal.throwIfAborted();
      },
    });
    await expect(runTransfers(transfers, SILENT, abort.signal)).rejects.toThrow("enough");
    expect(isOver).toBe(true);
  });

  it("gets by with circles and with paths that refer to themselves", async () => {
    const { transfers, visible } = transfersOf([[1, 0], [0]]);
    await runTransfers(transfers, SILENT, NEVER);
    expect(visible.sort()).toEqual([0, 1]);
  });
});
