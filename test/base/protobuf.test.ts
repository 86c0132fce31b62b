import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { isStoreError } from "../../src/base/errors.js";
import { WireReader, WireWriter } from "../../src/base/protobuf.js";

function hex(text: string): Buffer {
  return Buffer.from(text.replaceAll(" ", ""), "hex");
}

describe("WireWriter", () => {
  it.each<[string, (writer: WireWriter) => void, string]>([
    ["the smallest varint", (writer) => writer.uint(1, 1n), "08 01"],
    ["a two-byte varint", (writer) => writer.uint(3, 300n), "18 ac02"],
    ["2^64 - 1", (writer) => writer.uint(1, 2n ** 64n - 1n), "08 ffffffffffffffffff01"],
    ["a field number above 15", (writer) => writer.uint(16, 1n), "8001 01"],
    ["bytes", (writer) => writer.bytes(2, hex("0102")), "12 02 0102"],
    ["no zero", (writer) => writer.uint(1, 0n), ""],
    ["no empty bytes", (writer) => writer.bytes(2, hex("")), ""],
    ["an empty element of a repeated field", (writer) => writer.bytes(2, hex(""), true), "12 00"],
  ])("writes %s", (_title, write, expected) => {
    const writer = new WireWriter(1);
    write(writer);
    expect(writer.finish()).toEqual(hex(expected));
  });
});

describe("WireReader", () => {
  it("reads back any u64 that was written, canonically", () => {
    fc.assert(
      fc.property(fc.bigInt({ min: 1n, max: 2n ** 64n - 1n }), (value) => {
        const writer = new WireWriter();
        writer.uint(7, value);
        const reader = new WireReader(writer.finish());
        expect(reader.next()).toBe(true);
        expect(reader.field).toBe(7);
        expect(reader.uint()).toBe(value);
        expect(reader.next()).toBe(false);
        expect(reader.canonical).toBe(true);
      }),
    );
  });

  it.each([
    ["a varint with a needless byte", "08 8100"],
    ["a long varint with a needless byte", "08 808080808000"],
  ])("notices %s", (_title, message) => {
    const reader = new WireReader(hex(message));
    reader.next();
    reader.uint();
    expect(reader.canonical).toBe(false);
  });

  it.each([
    ["an unknown varint", "58 8001"],
    ["an unknown fixed64", "59 0102030405060708"],
    ["an unknown string", "5a 03 010203"],
    ["an unknown fixed32", "5d 01020304"],
  ])("passes over %s and notices it", (_title, message) => {
    const reader = new WireReader(Buffer.concat([hex(message), hex("08 01")]));
    reader.next();
    reader.skip();
    expect(reader.canonical).toBe(false);
    expect(reader.next()).toBe(true);
    expect(reader.uint()).toBe(1n);
  });

  it.each([
    ["a varint of 65 bits", "08 ffffffffffffffffff02"],
    ["a varint of eleven bytes", "08 8080808080808080808001"],
    ["a varint that ends early", "08 80"],
    ["bytes that end early", "12 05 0102"],
    ["a length beyond memory", "12 ffffffffffffffff7f"],
    ["field number 0", "00 01"],
    ["a group", "0b 0c"],
    ["a fixed64 that ends early", "09 01020304"],
  ])("refuses %s", (_title, message) => {
    const read = () => {
      const reader = new WireReader(hex(message));
      while (reader.next()) {
        if (reader.wireType === 0) reader.uint();
        else if (reader.wireType === 2) reader.content();
        else reader.skip();
      }
    };
    expect(read).toThrow(expect.objectContaining({ code: "invalid-argument" }));
  });

  it("ends with a value or a StoreError, whatever the bytes", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 64 }), (message) => {
        const reader = new WireReader(message);
        try {
          while (reader.next()) reader.skip();
        } catch (error) {
          expect(isStoreError(error, "invalid-argument")).toBe(true);
        }
      }),
    );
  });
});
