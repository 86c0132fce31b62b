import { closeSync, openSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { readRequest, writeReply } from "../../../src/fuse/kernel/device-loop.js";
import { FuseReply } from "../../../src/fuse/protocol/reply.js";
import { temporaryFolder } from "../../support/temp.js";
import { decodeReply, request } from "../protocol/support/wire.js";
import { RecordingLog } from "../support/recording-log.js";

const device = join(temporaryFolder(), "device");

let descriptor: number;
let log: RecordingLog;

beforeEach(() => {
  writeFileSync(device, "");
  log = new RecordingLog();
});
afterEach(() => closeSync(descriptor));

function finished(): FuseReply {
  const reply = new FuseReply(4096);
  // What an earlier, longer reply has left behind.
  reply.bytes.fill(0xa5);
  reply.clear();
  reply.append(Buffer.from("content"));
  reply.finish(request({ opcode: 15, unique: 6n }));
  return reply;
}

describe("writeReply()", () => {
  test("writes the whole reply and nothing behind it", () => {
    descriptor = openSync(device, "w");
    writeReply(descriptor, finished(), log);
    const expected = { error: 0, unique: 6n, body: Buffer.from("content") };
    expect(decodeReply(readFileSync(device))).toEqual(expected);
    expect(log.lines).toEqual([]);
  });

  test("logs what the device does not take, and goes on", () => {
    descriptor = openSync(device, "r");
    writeReply(descriptor, finished(), log);
    expect(log.lines).toMatchObject([
      { level: "error", fields: { length: 23 }, message: expect.stringContaining("EBADF") },
    ]);
  });
});

describe("readRequest()", () => {
  test("gives the length of what was read", () => {
    writeFileSync(device, "request");
    descriptor = openSync(device, "r");
    const memory = Buffer.alloc(100);
    expect(readRequest(descriptor, memory)).toBe(7);
    expect(memory.toString("latin1", 0, 7)).toBe("request");
  });

  test("fails when the device cannot be read for a reason of its own", () => {
    descriptor = openSync(device, "w");
    expect(() => readRequest(descriptor, Buffer.alloc(100))).toThrow("EBADF");
  });
});
