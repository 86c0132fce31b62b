import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { ReferenceCandidates } from "../../../src/store/references/candidates.js";
import { ReferenceScanner } from "../../../src/store/references/scanner.js";
import { StorePath } from "../../../src/store/store-path.js";
import { noise } from "../../support/bytes.js";

const HASHES = [
  "00bgd045z0d4icpbc2yyz4gx48ak44la",
  "vxjiwkjkn7x4079qvh1jkl5pn05j2aw0",
  "00000000000000000000000000000000",
  "zzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzz",
  // The same start as the first: only all of it tells them apart.
  "00bgd045z0d4icpbc2yyz4gx48ak44lb",
] as const;
const PATHS = HASHES.map((hash, index) => StorePath.parse(`${hash}-path-${index}`));

function candidates(paths: readonly StorePath[] = PATHS): ReferenceCandidates {
  const result = new ReferenceCandidates();
  for (const path of paths) result.add(path);
  return result;
}

/** The hash parts found in `pieces`. */
function scan(pieces: readonly Uint8Array[], among = candidates()): string[] {
  const scanner = new ReferenceScanner(among);
  for (const piece of pieces) scanner.update(piece);
  return scanner.references.map(({ basename }) => basename.slice(0, 32));
}

const scanText = (text: string): string[] => scan([Buffer.from(text)]);

/** What a search that knows no tricks finds. */
function expected(bytes: Uint8Array): string[] {
  const text = Buffer.from(bytes).toString("latin1");
  return HASHES.filter((hash) => text.includes(hash)).sort();
}

describe("ReferenceScanner", () => {
  it("finds nothing in nothing, and nothing where there is nothing to look for", () => {
    expect(scan([])).toEqual([]);
    expect(scan([Buffer.alloc(0), Buffer.alloc(0)])).toEqual([]);
    expect(scan([Buffer.from(HASHES.join())], candidates([]))).toEqual([]);
  });

  it("finds hashes at the start, at the end, alone, and each once, in byte order", () => {
    const [a, b, zeros] = HASHES;
    expect(scanText(a)).toEqual([a]);
    expect(scanText(`/nix/store/${b}-x`)).toEqual([b]);
    expect(scanText(`${b} ${a} ${zeros} ${b} and ${a}`)).toEqual([zeros, a, b]);
    expect(scanText(`${a}${b}`)).toEqual([a, b]);
  });

  it("finds hashes amid other characters of the alphabet, also those that overlap", () => {
    const [a] = HASHES;
    expect(scanText(`xyz${a}0123`)).toEqual([a]);
    expect(scanText(`${"0".repeat(100)}z`)).toEqual(["0".repeat(32)]);
    const overlapping = `${"0".repeat(31)}z`;
    const paths = [...PATHS, StorePath.parse(`${overlapping}-x`)];
    expect(scan([Buffer.from(`${"0".repeat(32)}z`)], candidates(paths))).toEqual([
      "0".repeat(32),
      overlapping,
    ]);
  });

  it("does not find a hash with one character changed, or interrupted", () => {
    const [, b] = HASHES;
    for (let index = 0; index < 32; index++) {
      const changed = b[index] === "0" ? "1" : "0";
      expect(scanText(`${b.slice(0, index)}${changed}${b.slice(index + 1)}`)).toEqual([]);
      expect(scanText(`${b.slice(0, index)}-${b.slice(index)}`)).toEqual(index === 0 ? [b] : []);
    }
    expect(scanText(b.toUpperCase())).toEqual([]);
    expect(scanText(b.slice(1))).toEqual([]);
  });

  it("finds a hash wherever the pieces begin and end", () => {
    const [, b] = HASHES;
    const bytes = Buffer.concat([noise(100), Buffer.from(b), noise(100, 2)]);
    for (let first = 0; first <= bytes.length; first++) {
      expect(scan([bytes.subarray(0, first), bytes.subarray(first)])).toEqual([b]);
    }
    for (const size of [1, 2, 3, 7, 30, 31, 32, 33, 63]) {
      const pieces: Buffer[] = [];
      for (let at = 0; at < bytes.length; at += size) pieces.push(bytes.subarray(at, at + size));
      expect(scan(pieces)).toEqual([b]);
    }
  });

  it("does not depend on pieces staying as they were", () => {
    const [, b] = HASHES;
    const scanner = new ReferenceScanner(candidates());
    const piece = Buffer.alloc(16);
    for (const half of [b.slice(0, 16), b.slice(16)]) {
      piece.write(half);
      scanner.update(piece);
      piece.fill(0);
    }
    expect(scanner.references).toHaveLength(1);
  });

  it("finds what a plain search finds, in any content split in any way", () => {
    const part = fc.oneof(
      fc.constantFrom(...HASHES, ...HASHES.map((hash) => hash.slice(0, 20))),
      fc.string({ unit: fc.constantFrom(..."0123abcdvwxyz"), maxLength: 70 }),
      fc.string({ unit: fc.constantFrom(..."0z-"), maxLength: 70 }),
    );
    fc.assert(
      fc.property(
        fc.array(part, { maxLength: 8 }),
        fc.array(fc.nat({ max: 300 }), { maxLength: 12 }),
        (parts, cuts) => {
          const bytes = Buffer.from(parts.join(""));
          const ends = [...cuts, bytes.length].sort((a, b) => a - b);
          const pieces = ends.map((end, index) => bytes.subarray(ends[index - 1] ?? 0, end));
          expect(scan(pieces)).toEqual(expected(bytes));
        },
      ),
      { numRuns: 2000 },
    );
  });

  it("finds each of many candidates", () => {
    const many = Array.from({ length: 20_000 }, (_, index) =>
      StorePath.from(Buffer.from(noise(20, index + 1)), "x"),
    );
    const among = candidates(many);
    expect(new Set(many.map(String)).size).toBe(many.length);
    const text = Buffer.from(many.slice(0, 500).join("\n"));
    expect(scan([text], among)).toHaveLength(500);
    const late = StorePath.from(Buffer.from(noise(20, 30_000)), "late");
    expect(scan([Buffer.from(late.basename)], among)).toEqual([]);
    among.add(late);
    expect(scan([Buffer.from(late.basename)], among)).toHaveLength(1);
    expect(scan([Buffer.from(noise(1_000_000, 7).toString("hex"))], among)).toEqual([]);
  });
});
