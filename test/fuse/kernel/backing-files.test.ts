import { closeSync, fstatSync, openSync } from "node:fs";
import { beforeEach, expect, test, vi } from "vitest";
import { StoreError } from "../../../src/base/errors.js";
import type { BackingCalls } from "../../../src/fuse/kernel/backing-calls.js";
import { BackingFiles, OPEN_INODES_MAX } from "../../../src/fuse/kernel/backing-files.js";

const DEVICE = 77;
const open = (): number => openSync("/dev/null", "r");

/** Numbers files from 1 on, and knows which are registered. */
class FakeCalls implements BackingCalls {
  readonly registered = new Set<number>();
  count = 0;
  open = vi.fn((_device: number, _descriptor: number) => {
    this.registered.add(++this.count);
    return this.count;
  });
  close = vi.fn((_device: number, id: number) => {
    if (!this.registered.delete(id)) throw new Error(`${id} is not registered`);
  });
}

let calls: FakeCalls;
let files: BackingFiles;
beforeEach(() => {
  calls = new FakeCalls();
  files = new BackingFiles(DEVICE, undefined, calls);
});

test("all opens of an inode share one registration, which goes with the last", () => {
  expect(files.acquire(5, open)).toBe(1);
  const other = new BackingFiles(DEVICE, files.shared, calls);
  expect(other.acquire(5, () => expect.fail("opened twice"))).toBe(1);
  expect(other.acquire(6, open)).toBe(2);
  files.release(5);
  expect(calls.close).not.toHaveBeenCalled();
  other.release(5);
  expect(calls.close.mock.calls).toEqual([[DEVICE, 1]]);
  expect(files.acquire(5, open)).toBe(3);
});

test("the descriptor is registered and closed", () => {
  let descriptor = -1;
  calls.open.mockImplementation((device, given) => {
    expect([device, given]).toEqual([DEVICE, descriptor]);
    expect(fstatSync(given).isCharacterDevice()).toBe(true);
    return 1;
  });
  files.acquire(1, () => {
    descriptor = open();
    return descriptor;
  });
  expect(() => closeSync(descriptor)).toThrow("EBADF");
});

test("nothing is counted when the file does not open or the kernel refuses", () => {
  const gone = new StoreError("dangling-reference", "gone");
  expect(() =>
    files.acquire(9, () => {
      throw gone;
    }),
  ).toThrow(gone);
  let descriptor = -1;
  calls.open.mockImplementationOnce(() => {
    throw new StoreError("permission-denied", "no");
  });
  expect(() =>
    files.acquire(9, () => {
      descriptor = open();
      return descriptor;
    }),
  ).toThrow("no");
  expect(() => closeSync(descriptor)).toThrow("EBADF");
  expect(() => files.release(9)).toThrow(RangeError);
  expect(files.acquire(9, open)).toBe(1);
});

test("an inode that is not open cannot be released", () => {
  expect(() => files.release(1)).toThrow(RangeError);
  files.acquire(1, open);
  files.release(1);
  expect(() => files.release(1)).toThrow(RangeError);
});

test("an open is taken back even if the kernel does not take the registration back", () => {
  files.acquire(1, open);
  calls.close.mockImplementationOnce(() => {
    throw new StoreError("unavailable", "no");
  });
  expect(() => files.release(1)).toThrow("no");
  expect(files.acquire(1, open)).toBe(2);
});

test("inodes that differ only above 32 bits are told apart", () => {
  const inodes = [1, 1 + 2 ** 32, 1 + 2 ** 52, 2 ** 31, 2 ** 32, Number.MAX_SAFE_INTEGER];
  const ids = inodes.map((inode) => files.acquire(inode, open));
  expect(ids).toEqual([1, 2, 3, 4, 5, 6]);
  expect(inodes.map((inode) => files.acquire(inode, open))).toEqual(ids);
});

test("a full table refuses new inodes, not those it has, and takes new ones when there is room", () => {
  calls.open.mockImplementation(() => ++calls.count);
  calls.close.mockImplementation(() => {});
  for (let inode = 0; inode < OPEN_INODES_MAX; inode++) files.acquire(inode * 2 ** 20, open);
  expect(() => files.acquire(7, open)).toThrow(expect.objectContaining({ code: "limit-exceeded" }));
  expect(files.acquire(2 ** 20, open)).toBe(2);
  files.release(0);
  expect(files.acquire(7, open)).toBe(OPEN_INODES_MAX + 1);
});

test("after any order of opens and releases each inode has what a plain map has", () => {
  // Few distinct hashes would make long chains; many inodes in a row and far apart make some.
  const model = new Map<number, { id: number; opens: number }>();
  let state = 1;
  const random = (below: number): number => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
    return (state >>> 8) % below;
  };
  for (let round = 0; round < 100_000; round++) {
    const inode = random(300) * 2 ** random(45);
    const known = model.get(inode);
    if (known !== undefined && random(2) === 0) {
      files.release(inode);
      if (--known.opens === 0) model.delete(inode);
    } else {
      const id = files.acquire(inode, open);
      if (known !== undefined) expect(id).toBe(known.id);
      model.set(inode, { id, opens: (known?.opens ?? 0) + 1 });
    }
  }
  expect(calls.registered).toEqual(new Set([...model.values()].map(({ id }) => id)));
  for (const [inode, { opens }] of model) for (let n = 0; n < opens; n++) files.release(inode);
  expect(calls.registered.size).toBe(0);
  expect(opensOf(files).every((opens) => opens === 0)).toBe(true);
});

/** The last word of each slot. */
function opensOf({ shared }: BackingFiles): Int32Array {
  return new Int32Array(shared).slice(2).filter((_, index) => index % 4 === 3);
}
