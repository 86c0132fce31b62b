import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { isStoreError } from "../../src/base/errors.js";
import { decodeNixBase32, encodeNixBase32 } from "../../src/store/nixbase32.js";

const VECTORS: readonly [string, string, string][] = [
  ["nothing", "", ""],
  ["one byte", "1f", "0z"],
  ["20 bytes", "8a12321522fd91efbd60ebb2481af88580f61600", "00bgd045z0d4icpbc2yyz4gx48ak44la"],
  [
    "32 bytes",
    "b3a24de97a8fdbc835b9833169501030b8977031bcb54b3b3ac13740f846ab30",
    "0c5b8vw40dy178xlpddw65q9gf1h2186jcc3p4swinwggbllv8mk",
  ],
  ["20 zero bytes", "00".repeat(20), "0".repeat(32)],
];

describe("nixbase32", () => {
  it.each(VECTORS)("writes and reads %s", (_title, hex, text) => {
    expect(encodeNixBase32(Buffer.from(hex, "hex"))).toBe(text);
    expect(decodeNixBase32(text).toString("hex")).toBe(hex);
  });

  it.each([
    ["zz", "beyond its last byte"],
    ["c0", "beyond its last byte"],
    ["0", "1 characters"],
    ["0zz", "3 characters"],
    ["0000e000", 'character 4, "e"'],
    ["0O", 'character 1, "O"'],
    ["é0", 'character 0, "é"'],
    [`${"0".repeat(31)}\n`, 'character 31, "\\x0a"'],
  ])("refuses %j and says why", (text, why) => {
    expect(() => decodeNixBase32(text)).toThrow(
      expect.objectContaining({
        code: "invalid-argument",
        message: expect.stringContaining(why),
      }),
    );
  });

  it("refuses text of another length than asked for", () => {
    expect(decodeNixBase32("0z", 1)).toHaveLength(1);
    expect(() => decodeNixBase32("00", 32)).toThrow("it has 2 characters, expected 52");
    expect(() => decodeNixBase32("0".repeat(52), 20)).toThrow("expected 32");
  });

  it("gives back any bytes, as the number they are in base 32", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 80 }), (bytes) => {
        const text = encodeNixBase32(bytes);
        expect(decodeNixBase32(text, bytes.length)).toEqual(Buffer.from(bytes));
        expect(numberOf(text)).toBe(BigInt(`0x0${Buffer.from(bytes).reverse().toString("hex")}`));
      }),
    );
  });

  it("reads any text as bytes that are written the same, or refuses it", () => {
    const character = fc.constantFrom(..."0123456789abcdfghijklmnpqrsvwxyzeotu-é");
    fc.assert(
      fc.property(fc.string({ unit: character, maxLength: 40 }), (text) => {
        try {
          expect(encodeNixBase32(decodeNixBase32(text))).toBe(text);
        } catch (error) {
          if (!isStoreError(error, "invalid-argument")) throw error;
        }
      }),
    );
  });
});

function numberOf(text: string): bigint {
  let value = 0n;
  for (const character of text) {
    value = value * 32n + BigInt("0123456789abcdfghijklmnpqrsvwxyz".indexOf(character));
  }
  return value;
}
