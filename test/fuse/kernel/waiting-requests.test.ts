import { closeSync, openSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { type ErrorCode, StoreError } from "../../../src/base/errors.js";
import { Miss } from "../../../src/castore/fs/file-system.js";
import {
  type Fetch,
  WaitingRequests,
  type WaitingRequestsOptions,
} from "../../../src/fuse/kernel/waiting-requests.js";
import { temporaryFolder } from "../../support/temp.js";
import { pack } from "../protocol/support/layouts.js";
import { decodeReply, encodeRequest, type ReplyParts } from "../protocol/support/wire.js";
import { MemoryFileSystem } from "../support/memory-file-system.mjs";
import { Conversation, OPCODE, READ_BYTES_MAX } from "./support/conversation.js";

const folder = temporaryFolder();
let count = 0;
let device: number;
let file: string;

beforeEach(() => {
  file = join(folder, String(count++));
  device = openSync(file, "w+");
});
afterEach(() => closeSync(device));

/** What was written to the device, reply for reply. */
function replies(): ReplyParts[] {
  const written = readFileSync(file);
  const found: ReplyParts[] = [];
  for (let at = 0; at < written.length; ) {
    const length = written.readUInt32LE(at);
    found.push(decodeReply(written.subarray(at, at + length)));
    at += length;
  }
  return found;
}

/** Inode n reads as its number once all pieces in `needs(n)` are here. */
class RemoteFiles extends MemoryFileSystem {
  readonly here = new Set<string>();
  readonly #needs: (inode: number) => readonly string[];

  constructor(needs: (inode: number) => readonly string[] = (inode) => [`piece ${inode}`]) {
    super([]);
    this.#needs = needs;
  }

  override read(inode: number, _offset: number, target: Uint8Array): number {
    const missing = this.#needs(inode).find((piece) => !this.here.has(piece));
    if (missing !== undefined) throw new Miss(missing);
    return Buffer.from(target.buffer, target.byteOffset).write(`content ${inode}`);
  }
}

function readRequest(inode: number, unique = BigInt(2 * inode)): Buffer {
  const body = pack("fuse_read_in", { size: 4096 });
  return encodeRequest({ opcode: OPCODE.read, nodeId: inode, unique, body });
}

function setUp(
  fetch: (files: RemoteFiles) => Fetch,
  options: Partial<WaitingRequestsOptions> = {},
  files = new RemoteFiles(),
) {
  const { dispatcher, log } = new Conversation(files);
  const waiting = new WaitingRequests({
    device,
    readBytesMax: READ_BYTES_MAX,
    dispatcher,
    fetch: fetch(files),
    log,
    ...options,
  });
  return { waiting, log, files };
}

/** Brings what is wanted, at once. */
function bring(files: RemoteFiles): Fetch {
  return async (want) => {
    files.here.add(want as string);
  };
}

const never: Fetch = () => new Promise(() => {});

function collectGarbage(): void {
  setFlagsFromString("--expose-gc");
  (runInNewContext("gc") as () => void)();
}

describe("WaitingRequests", () => {
  test("fetches what was missed, then answers", async () => {
    const { waiting, log } = setUp(bring);
    await waiting.wait(readRequest(7), "piece 7");
    expect(replies()).toEqual([{ error: 0, unique: 14n, body: Buffer.from("content 7") }]);
    expect(log.lines).toEqual([]);
  });

  test("fetches one after the other what is missed on the way", async () => {
    const fetched: unknown[] = [];
    const pieces = Array.from({ length: 50 }, (_, index) => `piece ${index}`);
    const files = new RemoteFiles(() => pieces);
    const recording =
      (files: RemoteFiles): Fetch =>
      (want, signal, onProgress) => {
        fetched.push(want);
        return bring(files)(want, signal, onProgress);
      };
    const { waiting } = setUp(recording, {}, files);
    await waiting.wait(readRequest(7), "piece 0");
    expect(fetched).toEqual(pieces);
    expect(replies()).toMatchObject([{ error: 0 }]);
  });

  test("answers each as soon as it can, in any order", async () => {
    const arrivals = new Map<string, () => void>();
    const { waiting } = setUp((files) => (want) => {
      files.here.add(want as string);
      return new Promise((resolve) => arrivals.set(want as string, resolve));
    });
    const first = waiting.wait(readRequest(1), "piece 1");
    const second = waiting.wait(readRequest(2), "piece 2");
    arrivals.get("piece 2")?.();
    await second;
    expect(replies().map(({ unique }) => unique)).toEqual([4n]);
    arrivals.get("piece 1")?.();
    await first;
    expect(replies().map(({ body }) => body.toString())).toEqual(["content 2", "content 1"]);
  });

  test.each<[ErrorCode, number, number]>([
    ["not-found", 116, 0],
    ["permission-denied", 1, 0],
    ["aborted", 4, 0],
    ["unavailable", 5, 1],
    ["corrupt", 5, 1],
    ["dangling-reference", 5, 1],
    ["limit-exceeded", 5, 1],
    ["internal", 5, 1],
  ])("answers a fetch that fails with %s with errno %i", async (code, errno, lines) => {
    const { waiting, log } = setUp(() => async () => {
      throw new StoreError(code, "the reason");
    });
    await waiting.wait(readRequest(7), "piece 7");
    expect(replies()).toEqual([{ error: -errno, unique: 14n, body: Buffer.alloc(0) }]);
    expect(log.lines.map(({ message }) => message)).toEqual(
      Array.from({ length: lines }, () => "Cannot read inode 7: the reason"),
    );
  });

  test("answers EIO when a fetch throws what is no StoreError, or throws at once", async () => {
    const { waiting, log } = setUp(() => () => {
      throw new TypeError("a bug");
    });
    await waiting.wait(readRequest(7), "piece 7");
    expect(replies()).toMatchObject([{ error: -5 }]);
    expect(log.lines[0]?.message).toContain("a bug");
  });

  test("answers EIO when what was fetched does not do", async () => {
    const files = new RemoteFiles();
    const { waiting, log } = setUp(
      () => async () => {
        files.read = () => {
          throw new StoreError("corrupt", "damaged on arrival");
        };
      },
      {},
      files,
    );
    await waiting.wait(readRequest(7), "piece 7");
    expect(replies()).toMatchObject([{ error: -5 }]);
    expect(log.lines[0]?.message).toContain("damaged on arrival");
  });

  test("answers EINTR when the caller is interrupted, and tells the fetch", async () => {
    let signal: AbortSignal | undefined;
    const { waiting, log } = setUp(() => (_want, given) => {
      signal = given;
      return never(undefined, given, () => {});
    });
    const interrupted = waiting.wait(readRequest(7, 100n), "piece 7");
    const other = waiting.wait(readRequest(8, 102n), "piece 8");
    waiting.interrupt(100n);
    await interrupted;
    expect(replies()).toMatchObject([{ error: -4, unique: 100n }]);
    expect(log.lines).toEqual([]);
    expect(signal?.aborted).toBe(false);
    waiting.close();
    await other;
    expect(signal?.aborted).toBe(true);
  });

  test("answers EINTR without a fetch when the interruption came first", async () => {
    const { waiting } = setUp(() => () => Promise.reject(new Error("fetched all the same")));
    waiting.interrupt(100n);
    await waiting.wait(readRequest(7, 100n), "piece 7");
    expect(replies()).toEqual([{ error: -4, unique: 100n, body: Buffer.alloc(0) }]);
  });

  test("takes an early interruption for one request alone", async () => {
    const { waiting } = setUp(bring);
    waiting.interrupt(98n);
    await waiting.wait(readRequest(7, 100n), "piece 7");
    expect(replies()).toMatchObject([{ error: 0 }]);
  });

  test("answers once when what was given up arrives after all", async () => {
    let arrive = (): void => {};
    const { waiting } = setUp((files) => (want) => {
      files.here.add(want as string);
      return new Promise((resolve) => {
        arrive = resolve;
      });
    });
    const waited = waiting.wait(readRequest(7, 100n), "piece 7");
    waiting.interrupt(100n);
    await waited;
    arrive();
    waiting.interrupt(100n);
    await sleep(0);
    expect(replies()).toMatchObject([{ error: -4 }]);
  });

  test("forgets the oldest of too many early interruptions, not the newest", async () => {
    const { waiting } = setUp(bring);
    for (let unique = 0n; unique < 5000n; unique += 2n) waiting.interrupt(unique);
    await waiting.wait(readRequest(1, 4998n), "piece 1");
    await waiting.wait(readRequest(1, 0n), "piece 1");
    expect(replies().map(({ error }) => error)).toEqual([-4, 0]);
  });

  test("answers EIO when the deadline passes, whether or not garbage was collected", async () => {
    const { waiting, log } = setUp(() => never, { deadlineMs: 50 });
    const waited = waiting.wait(readRequest(7), "piece 7");
    await sleep(0);
    collectGarbage();
    await waited;
    expect(replies()).toMatchObject([{ error: -5, unique: 14n }]);
    expect(log.lines[0]?.message).toContain("not fetched within 0.05 s");
  });

  test("lets a fetch take its time for as long as it makes progress", async () => {
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
    try {
      const files = new RemoteFiles();
      let progress = (): void => {};
      let arrive = (): void => {};
      const slow: Fetch = (want, _signal, onProgress) =>
        new Promise((resolve) => {
          progress = onProgress;
          arrive = () => {
            files.here.add(String(want));
            resolve();
          };
        });
      const { waiting } = setUp(() => slow, { deadlineMs: 100 }, files);
      const waited = waiting.wait(readRequest(7), "piece 7");
      for (let step = 0; step < 5; step++) {
        vi.advanceTimersByTime(90);
        progress();
      }
      arrive();
      await waited;
      expect(replies()).toMatchObject([{ error: 0 }]);
      progress();
      expect(vi.getTimerCount()).toBe(0);
    } finally {
      vi.useRealTimers();
    }
  });

  test("lets the deadline pass for fetches that end at once and bring nothing", async () => {
    const { waiting } = setUp(() => async () => {}, { deadlineMs: 50 });
    await waiting.wait(readRequest(7), "piece 7");
    expect(replies()).toMatchObject([{ error: -5 }]);
  });

  test("refuses with EIO what is one too many, and takes more once there is room", async () => {
    const { waiting, log } = setUp(() => never, { waitingMax: 2 });
    const first = waiting.wait(readRequest(1), "piece 1");
    const second = waiting.wait(readRequest(2), "piece 2");
    await waiting.wait(readRequest(3), "piece 3");
    expect(replies()).toMatchObject([{ error: -5, unique: 6n }]);
    expect(log.lines[0]?.message).toContain("More than 2 requests are waiting");
    waiting.interrupt(2n);
    await first;
    const fourth = waiting.wait(readRequest(4), "piece 4");
    await sleep(0);
    expect(replies().map(({ unique, error }) => [unique, error])).toEqual([
      [6n, -5],
      [2n, -4],
    ]);
    waiting.close();
    await Promise.all([second, fourth]);
  });

  test("answers everything that waits when it is closed", async () => {
    const { waiting } = setUp(() => never);
    const all = [1, 2, 3].map((inode) => waiting.wait(readRequest(inode), `piece ${inode}`));
    waiting.close();
    await Promise.all(all);
    expect(replies().map(({ unique, error }) => [unique, error])).toEqual([
      [2n, -4],
      [4n, -4],
      [6n, -4],
    ]);
  });

  test("does not fail when the device takes no reply", async () => {
    const readOnly = openSync(file, "r");
    try {
      const { waiting, log } = setUp(bring, { device: readOnly });
      await waiting.wait(readRequest(7), "piece 7");
      expect(log.lines[0]?.message).toContain("The kernel took no reply");
    } finally {
      closeSync(readOnly);
    }
  });
});
