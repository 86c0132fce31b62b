import { createHash } from "node:crypto";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { ModuloHasher } from "../../../src/store/nar/modulo-hasher.js";

const SELF = "00bgd045z0d4icpbc2yyz4gx48ak44la";

function hash(pieces: readonly string[]): string {
  const hasher = new ModuloHasher("sha256", Buffer.from(SELF));
  for (const piece of pieces) hasher.update(Buffer.from(piece));
  return hasher.digest().toString("hex");
}

const plain = (text: string): string => createHash("sha256").update(text).digest("hex");
const zeros = "\0".repeat(32);

describe("ModuloHasher", () => {
  it("hashes content without occurrences as it is", () => {
    for (const text of ["", "x", SELF.slice(1), "y".repeat(1000)]) {
      expect(hash([text])).toBe(plain(text));
    }
  });

  it("counts occurrences as zeros, and adds where they were", () => {
    expect(hash([SELF])).toBe(plain(`${zeros}|0`));
    expect(hash([`ab${SELF}${SELF}c${SELF}`])).toBe(plain(`ab${zeros}${zeros}c${zeros}|2|34|67`));
    expect(hash([`ab${zeros}`])).not.toBe(hash([`ab${SELF}`]));
  });

  it("does not change what it is given", () => {
    const bytes = Buffer.from(SELF);
    new ModuloHasher("sha1", bytes).update(bytes);
    expect(bytes.toString()).toBe(SELF);
  });

  it("gives the same whatever the pieces are", () => {
    const part = fc.constantFrom(SELF, SELF.slice(0, 16), SELF.slice(16), "0", "abc");
    fc.assert(
      fc.property(fc.array(part, { maxLength: 6 }), fc.array(fc.nat(200)), (parts, cuts) => {
        const text = parts.join("");
        const ends = [...cuts, text.length].sort((a, b) => a - b);
        const pieces = ends.map((end, index) => text.slice(ends[index - 1] ?? 0, end));
        expect(hash(pieces)).toBe(hash([text]));
      }),
    );
  });
});
