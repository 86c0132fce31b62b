import { describe, expect, test } from "vitest";
import { operationName } from "../../../src/fuse/protocol/opcodes.js";
import { FuseRequest, HEADER_BYTES, MalformedRequest } from "../../../src/fuse/protocol/request.js";
import { pack } from "./support/layouts.js";
import { encodeRequest, nul, request, requestOn } from "./support/wire.js";

/** READ as a kernel on x86-64 wrote it, byte for byte: 64 KiB at 4 GiB + 8 of inode 2^40 + 5. */
const READ = Buffer.from(
  [
    "50000000 0f000000 2a00000001000000 0500000000010000", // len 80 · READ · unique · nodeid
    "e8030000 64000000 39300000 00000000", // uid 1000 · gid 100 · pid 12345
    "0000000000000000 0800000001000000 00000100 00000000", // fh · offset · size · read_flags
    "0000000000000000 00800000 00000000", // lock_owner · flags
  ]
    .join("")
    .replaceAll(" ", ""),
  "hex",
);

describe("FuseRequest", () => {
  test("reads header and body of a request", () => {
    const read = requestOn(READ);
    expect(read.opcode).toBe(15);
    expect(read.unique).toBe(0x1_0000_002an);
    expect(read.nodeId).toBe(2 ** 40 + 5);
    expect(read.bodyLength).toBe(40);
    expect([read.u64(0), read.u64(8), read.u32(16)]).toEqual([0, 2 ** 32 + 8, 65_536]);
    expect(read.bigU64(8)).toBe(0x1_0000_0008n);
    expect(read.u32(32)).toBe(0x8000);
  });

  test("reads the same from what the tests pack", () => {
    const body = pack("fuse_read_in", { offset: 2 ** 32 + 8, size: 65_536, flags: 0x8000 });
    const bytes = encodeRequest({ opcode: 15, nodeId: 2 ** 40 + 5, unique: 0x1_0000_002an, body });
    for (const at of [24, 28, 32]) READ.copy(bytes, at, at, at + 4);
    expect(bytes).toEqual(READ);
  });

  test.each([
    ["0", 0n, 0],
    ["2^32 - 1", 2n ** 32n - 1n, 2 ** 32 - 1],
    ["2^32", 2n ** 32n, 2 ** 32],
    ["2^53 - 1", 2n ** 53n - 1n, 2 ** 53 - 1],
    ["2^63 - 1, rounded", 2n ** 63n - 1n, 2 ** 63],
    ["2^64 - 1, rounded", 2n ** 64n - 1n, 2 ** 64],
  ])("reads the number %s", (_, wire, value) => {
    const body = pack("fuse_interrupt_in", { unique: wire });
    const read = request({ opcode: 36, nodeId: wire, unique: wire, body });
    expect(read.nodeId).toBe(value);
    expect(read.u64(0)).toBe(value);
    expect(read.bigU64(0)).toBe(wire);
    expect(read.unique).toBe(wire);
  });

  test("never takes a number that was rounded for one of ours", () => {
    for (let bit = 53n; bit < 64n; bit++) {
      expect(request({ opcode: 3, nodeId: 2n ** bit + 1n }).nodeId).toBeGreaterThanOrEqual(2 ** 53);
    }
  });

  test("copies the unique number into a reply as it is", () => {
    const reply = Buffer.alloc(16);
    request({ opcode: 3, unique: 0xfedc_ba98_7654_3211n }).copyUnique(reply);
    expect(reply.toString("hex")).toBe("00000000000000001132547698badcfe");
  });

  test("takes only what is a whole request", () => {
    const memory = Buffer.alloc(200);
    const taken = new FuseRequest(memory);
    const whole = encodeRequest({ opcode: 3, body: Buffer.alloc(16) });
    whole.copy(memory);
    expect(taken.take(whole.length)).toBe(true);
    for (const length of [0, 1, 39, 40, 55, 57, 200]) {
      expect([length, taken.take(length)]).toEqual([length, false]);
    }
    memory.writeUInt32LE(39, 0);
    expect(taken.take(39)).toBe(false);
    memory.writeUInt32LE(HEADER_BYTES, 0);
    expect(taken.take(HEADER_BYTES)).toBe(true);
    expect(taken.bodyLength).toBe(0);
  });

  test.each([0, 1, 3, 7, 8, 15])("refuses numbers beyond a body of %i bytes", (length) => {
    const short = request({ opcode: 15, body: Buffer.alloc(length, 1) });
    for (let offset = 0; offset < 24; offset++) {
      const four = () => short.u32(offset);
      const eight = () => short.u64(offset);
      const big = () => short.bigU64(offset);
      if (offset + 4 <= length) expect(four()).toBe(0x0101_0101);
      else expect(four).toThrow(MalformedRequest);
      for (const read of [eight, big]) {
        if (offset + 8 <= length) expect(Number(read())).toBe(Number(0x0101_0101_0101_0101n));
        else expect(read).toThrow(MalformedRequest);
      }
    }
  });

  test("reads a name up to its end", () => {
    expect(request({ opcode: 1, body: nul("hello") }).name()).toEqual(Buffer.from("hello"));
    expect(request({ opcode: 1, body: nul("") }).name()).toEqual(Buffer.alloc(0));
    const notUtf8 = Buffer.from([0xff, 0x80, 0x2e]);
    expect(request({ opcode: 1, body: nul(notUtf8) }).name()).toEqual(notUtf8);
    const long = Buffer.alloc(255, 0xfe);
    expect(request({ opcode: 1, body: nul(long) }).name()).toEqual(long);
    const after = Buffer.concat([Buffer.alloc(8), nul("user.x")]);
    expect(request({ opcode: 22, body: after }).name(8)).toEqual(Buffer.from("user.x"));
    expect(request({ opcode: 12, body: nul("a\0b") }).name()).toEqual(Buffer.from("a"));
  });

  test("refuses a name without an end, whatever lies behind the request", () => {
    for (const body of ["", "x", "hello"]) {
      const bytes = encodeRequest({ opcode: 1, body: Buffer.from(body) });
      const memory = Buffer.alloc(256);
      bytes.copy(memory);
      const unended = new FuseRequest(memory);
      expect(unended.take(bytes.length)).toBe(true);
      expect(() => unended.name()).toThrow(MalformedRequest);
      expect(() => unended.name(8)).toThrow(MalformedRequest);
      expect(() => unended.name(1000)).toThrow(MalformedRequest);
    }
  });

  test("gives a copy that outlives the next request", () => {
    const memory = Buffer.alloc(256);
    const first = encodeRequest({ opcode: 1, unique: 2n, body: nul("first") });
    first.copy(memory);
    const taken = new FuseRequest(memory);
    taken.take(first.length);
    const copy = taken.copy();
    encodeRequest({ opcode: 1, unique: 4n, body: nul("other") }).copy(memory);
    expect(copy).toEqual(first);
  });
});

describe("operationName()", () => {
  test("names what is known and numbers the rest", () => {
    expect(operationName(15)).toBe("read");
    expect(operationName(44)).toBe("readdirplus");
    expect(operationName(4096)).toBe("do operation 4096 on");
  });
});
