import { execFileSync } from "node:child_process";
import { closeSync, constants, openSync, writeFileSync, writeSync } from "node:fs";
import { join } from "node:path";
import { afterEach, describe, expect, test, vi } from "vitest";
import type { FileSystem } from "../../../src/castore/fs/file-system.js";
import { EarlyServer } from "../../../src/fuse/kernel/early-server.js";
import { temporaryFolder } from "../../support/temp.js";
import { encodeRequest } from "../protocol/support/wire.js";
import { CONNECTION, Conversation, OPCODE, READ_BYTES_MAX } from "./support/conversation.js";

const NEVER = 3_600_000;
/** Interruptions do not reach it. */
const UNASKED = {} as FileSystem;
const folder = temporaryFolder();
const pipe = join(folder, "pipe");
execFileSync("mkfifo", [pipe]);

let device: number;
afterEach(() => closeSync(device));

/** Serves what comes through a pipe: requests that are not answered. */
function start(limits: { requests: number; ms: number }) {
  device = openSync(pipe, constants.O_RDWR);
  return startOn(device, limits);
}

function startOn(descriptor: number, limits: { requests: number; ms: number }) {
  const { dispatcher, log } = new Conversation(UNASKED, CONNECTION);
  const onBusy = vi.fn<() => void>();
  const waitingRoom = { wait: vi.fn(), interrupt: vi.fn() };
  const server = new EarlyServer(
    { device: descriptor, readBytesMax: READ_BYTES_MAX, dispatcher, waitingRoom, log },
    onBusy,
    limits,
  );
  return { server, onBusy, waitingRoom };
}

let unique = 0n;

/** Sends an interruption and waits until it has been passed on. */
async function send(interrupted: ReturnType<typeof vi.fn>): Promise<void> {
  const body = Buffer.alloc(8);
  body.writeBigUInt64LE(++unique);
  const before = interrupted.mock.calls.length;
  writeSync(device, encodeRequest({ opcode: OPCODE.interrupt, nodeId: 0, unique: 1n, body }));
  await vi.waitFor(() => expect(interrupted.mock.calls.length).toBe(before + 1));
  expect(interrupted.mock.lastCall).toEqual([unique]);
}

describe("EarlyServer", () => {
  test("calls for threads once, after so many requests, and goes on serving", async () => {
    const { server, onBusy, waitingRoom } = start({ requests: 2, ms: NEVER });
    await send(waitingRoom.interrupt);
    expect(onBusy).not.toHaveBeenCalled();
    await send(waitingRoom.interrupt);
    await vi.waitFor(() => expect(onBusy).toHaveBeenCalledOnce());
    for (let count = 0; count < 5; count++) await send(waitingRoom.interrupt);
    expect(onBusy).toHaveBeenCalledOnce();
    server.leave();
    await send(waitingRoom.interrupt);
    await expect(server.done).resolves.toBe("left");
  });

  test("calls for threads at once where it is to serve nothing", async () => {
    const { server, onBusy, waitingRoom } = start({ requests: 0, ms: NEVER });
    expect(onBusy).toHaveBeenCalledOnce();
    server.leave();
    await send(waitingRoom.interrupt);
    await server.done;
  });

  test("calls for threads once, after a while", async () => {
    const { server, onBusy, waitingRoom } = start({ requests: 2, ms: 50 });
    await vi.waitFor(() => expect(onBusy).toHaveBeenCalledOnce());
    for (let count = 0; count < 3; count++) await send(waitingRoom.interrupt);
    expect(onBusy).toHaveBeenCalledOnce();
    server.leave();
    await send(waitingRoom.interrupt);
    await server.done;
  });

  test("makes the process end without waiting for its read, for as long as it reads", async () => {
    const before = process.listenerCount("exit");
    const { server, waitingRoom } = start({ requests: NEVER, ms: NEVER });
    expect(process.listenerCount("exit")).toBe(before + 1);
    server.leave();
    await send(waitingRoom.interrupt);
    await server.done;
    expect(process.listenerCount("exit")).toBe(before);
  });

  test("fails when the device cannot be read, and calls for nobody then", async () => {
    const file = join(folder, "file");
    writeFileSync(file, "");
    device = openSync(file, "w");
    const { server, onBusy } = startOn(device, { requests: NEVER, ms: 50 });
    await expect(server.done).rejects.toThrow("EBADF");
    await new Promise((resolve) => setTimeout(resolve, 100));
    expect(onBusy).not.toHaveBeenCalled();
  });
});
