import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { NarWriter } from "../../../src/store/nar/writer.js";
import { bytes, noise } from "../../support/bytes.js";
import { NAR_FIXTURES } from "../support/nar-fixtures.js";
import { directory, file, type Tree, treeArbitrary, writeTreeAsNar } from "../support/tree.js";

function narOf(tree: Tree, pieceBytes?: number): Buffer {
  const pieces: Uint8Array[] = [];
  const writer = new NarWriter((piece) => pieces.push(piece));
  writeTreeAsNar(tree, writer, pieceBytes);
  writer.finish();
  return Buffer.concat(pieces);
}

function discard(): NarWriter {
  return new NarWriter(() => {});
}

describe("NarWriter", () => {
  it("frames every string with its length and zeros", () => {
    const framed = [
      ["0d00000000000000", "nix-archive-1\0\0\0"],
      ["0100000000000000", "(\0\0\0\0\0\0\0"],
      ["0400000000000000", "type\0\0\0\0"],
      ["0700000000000000", "regular\0"],
      ["0a00000000000000", "executable\0\0\0\0\0\0"],
      ["0000000000000000", ""],
      ["0800000000000000", "contents"],
      ["0100000000000000", "\x01\0\0\0\0\0\0\0"],
      ["0100000000000000", ")\0\0\0\0\0\0\0"],
    ].map(([length, text]) => Buffer.concat([Buffer.from(length ?? "", "hex"), bytes(text ?? "")]));
    expect(narOf(file("\x01", true))).toEqual(Buffer.concat(framed));
  });

  it.each(NAR_FIXTURES)("writes $title with its published length", ({ tree, length }) => {
    expect(narOf(tree)).toHaveLength(length);
  });

  it("writes the same however the contents are split", () => {
    const content = noise(200_001);
    const tree = directory({ a: file(content), b: file("b") });
    const whole = narOf(tree);
    expect(whole.includes(content)).toBe(true);
    for (const pieceBytes of [1000, 16 * 1024, 65_536, 100_000]) {
      expect(narOf(tree, pieceBytes).equals(whole)).toBe(true);
    }
    fc.assert(
      fc.property(treeArbitrary, fc.integer({ min: 1, max: 50 }), (small, pieceBytes) => {
        expect(narOf(small, pieceBytes)).toEqual(narOf(small));
      }),
    );
  });

  it("gathers small parts into large pieces, and passes long contents on as they are", () => {
    const pieces: Uint8Array[] = [];
    const writer = new NarWriter((piece) => pieces.push(piece));
    const content = noise(1 << 20);
    writer.startDirectory();
    writer.startEntry(bytes("large"));
    writer.startFile(BigInt(content.length), false);
    writer.write(content);
    expect(pieces.at(-1)).toBe(content);
    writer.endFile();
    writer.endEntry();
    for (let count = 100_000; count < 101_000; count++) {
      writer.startEntry(bytes(`small-${count}`));
      writeTreeAsNar(file("x"), writer);
      writer.endEntry();
    }
    writer.endDirectory();
    writer.finish();
    const length = pieces.reduce((sum, piece) => sum + piece.length, 0);
    expect(pieces.length).toBeLessThan(4 + length / 60_000);
  });

  it("keeps nothing it was given, and changes nothing it gave away", () => {
    const pieces: Uint8Array[] = [];
    const copies: Uint8Array[] = [];
    const writer = new NarWriter((piece) => {
      pieces.push(piece);
      copies.push(Buffer.from(piece));
    });
    const scratch = Buffer.alloc(20_000);
    writer.startDirectory();
    for (let index = 0; index < 26; index++) {
      const name = scratch.subarray(0, 1).fill("a".charCodeAt(0) + index);
      writer.startEntry(name);
      name.fill("~");
      writer.startFile(2_000n, false);
      writer.write(scratch.fill(index).subarray(0, 2_000));
      writer.endFile();
      writer.endEntry();
    }
    writer.endDirectory();
    writer.finish();
    expect(pieces).toEqual(copies);
    expect(Buffer.concat(pieces).indexOf(Buffer.alloc(2_000, 25))).toBeGreaterThan(0);
  });

  it.each<[string, (writer: NarWriter) => void]>([
    ["contents without a file", (writer) => writer.write(bytes("a"))],
    ["the end of a file that was not started", (writer) => writer.endFile()],
    ["an entry without a directory", (writer) => writer.startEntry(bytes("a"))],
    ["the end of a directory that was not started", (writer) => writer.endDirectory()],
    ["the end of an entry that was not started", (writer) => writer.endEntry()],
    ["the end of an empty NAR", (writer) => writer.finish()],
    [
      "two root nodes",
      (writer) => {
        writer.symlink(bytes("a"));
        writer.symlink(bytes("a"));
      },
    ],
    [
      "a node inside a file",
      (writer) => {
        writer.startFile(0n, false);
        writer.startDirectory();
      },
    ],
    [
      "a node without an entry",
      (writer) => {
        writer.startDirectory();
        writer.startFile(0n, false);
      },
    ],
    [
      "an entry without a node",
      (writer) => {
        writer.startDirectory();
        writer.startEntry(bytes("a"));
        writer.endEntry();
      },
    ],
    [
      "two nodes in one entry",
      (writer) => {
        writer.startDirectory();
        writer.startEntry(bytes("a"));
        writer.symlink(bytes("a"));
        writer.symlink(bytes("a"));
      },
    ],
    [
      "an open entry at the end of the directory",
      (writer) => {
        writer.startDirectory();
        writer.startEntry(bytes("a"));
        writer.symlink(bytes("a"));
        writer.endDirectory();
      },
    ],
    [
      "the end of the NAR in a directory",
      (writer) => {
        writer.startDirectory();
        writer.finish();
      },
    ],
    [
      "a second end",
      (writer) => {
        writer.symlink(bytes("a"));
        writer.finish();
        writer.finish();
      },
    ],
    [
      "a name twice",
      (writer) => {
        writer.startDirectory();
        for (const name of ["a", "a"]) {
          writer.startEntry(bytes(name));
          writer.symlink(bytes("a"));
          writer.endEntry();
        }
      },
    ],
    [
      "names out of byte order",
      (writer) => {
        writer.startDirectory();
        // U+FF61 sorts before U+10000 by bytes, behind it by UTF-16 units.
        for (const name of ["\u{10000}", "\uff61"]) {
          writer.startEntry(bytes(name));
          writer.symlink(bytes("a"));
          writer.endEntry();
        }
      },
    ],
  ])("treats %s as a mistake of the caller", (_title, misuse) => {
    expect(() => misuse(discard())).toThrow(TypeError);
  });

  it("starts the order of names anew in every directory", () => {
    const inner = directory({ a: file(""), z: file("") });
    expect(() => narOf(directory({ m: inner, n: inner }))).not.toThrow();
  });

  it("refuses contents of another length than announced", () => {
    const long = discard();
    long.startFile(3n, false);
    long.write(bytes("ab"));
    expect(() => long.write(bytes("cd"))).toThrow(RangeError);
    const short = discard();
    short.startFile(3n, false);
    short.write(bytes("ab"));
    expect(() => short.endFile()).toThrow("announced with 3 bytes and has 1 bytes less");
  });

  it.each([".", "..", "", "a/b", "a\0b", "n".repeat(256)])("refuses the name %j", (name) => {
    const writer = discard();
    writer.startDirectory();
    expect(() => writer.startEntry(bytes(name))).toThrow(
      expect.objectContaining({ code: "invalid-argument" }),
    );
  });

  it.each(["", "a\0b", "t".repeat(4096)])("refuses the symlink target %j", (target) => {
    expect(() => discard().symlink(bytes(target))).toThrow(
      expect.objectContaining({ code: "invalid-argument" }),
    );
  });
});
