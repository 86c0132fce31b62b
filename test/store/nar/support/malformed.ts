/**
 * NARs that nobody should take, each with the offset and the reason that its error has to name.
 */
import { frame, frameString } from "../../../../src/store/nar/framing.js";
import { directory, file, symlink } from "../../support/tree.js";
import { narOf } from "./nar.js";

export interface MalformedNar {
  readonly title: string;
  readonly nar: Buffer;
  readonly offset: number;
  readonly reason: string | RegExp;
}

const MAGIC = frame("nix-archive-1");
const HELLO = narOf(file("hello"));
const LINK = narOf(symlink("target"));
const FOLDER = narOf(directory({ a: file("1"), b: symlink("a"), c: directory({}) }));
const ZERO = Buffer.alloc(1);

/** Strings and raw bytes, one after the other. */
function nar(...parts: (string | Uint8Array)[]): Buffer {
  return Buffer.concat(parts.map((part) => (typeof part === "string" ? frame(part) : part)));
}

function raw(length: bigint, ...rest: Uint8Array[]): Buffer {
  const head = Buffer.alloc(8);
  head.writeBigUInt64LE(length);
  return Buffer.concat([head, ...rest]);
}

function open(): Buffer {
  return nar("nix-archive-1", "(", "type");
}

const FOLDER_START = nar("nix-archive-1", "(", "type", "directory");
const EMPTY_FILE = nar("(", "type", "regular", "contents", "", ")");

/** A folder with these entries, each an empty file, in this order. */
function folderOf(...names: (string | Uint8Array)[]): Buffer {
  return nar(
    FOLDER_START,
    ...names.flatMap((name) => [
      frame("entry", "(", "name"),
      frameString(Buffer.from(name)),
      frame("node"),
      EMPTY_FILE,
      frame(")"),
    ]),
    ")",
  );
}

/** Where the length of the first name is in what {@link folderOf} makes. */
const FIRST_NAME = FOLDER_START.length + frame("entry", "(", "name").length;
/** Where that of the second is, when the first has at most eight bytes. */
const SECOND_NAME =
  FIRST_NAME +
  frame("12345678", "node").length +
  EMPTY_FILE.length +
  frame(")", "entry", "(", "name").length;

/** `bytes` with one of them replaced. */
function withByte(bytes: Buffer, offset: number, value: number): Buffer {
  const changed = Buffer.from(bytes);
  changed[offset] = value;
  return changed;
}

function deep(levels: number): Buffer {
  const start = frame("(", "type", "directory");
  const entry = nar("entry", "(", "name", "d", "node");
  return Buffer.concat([
    MAGIC,
    ...Array.from({ length: levels - 1 }, () => Buffer.concat([start, entry])),
    start,
    ...Array.from({ length: levels - 1 }, () => frame(")", ")")),
    frame(")"),
  ]);
}

const keyword = (...words: string[]): string =>
  `expected ${words.map((word) => `"${word}"`).join(" or ")}, found`;

function row(title: string, bytes: Buffer, offset: number, reason: string | RegExp): MalformedNar {
  return { title, nar: bytes, offset, reason };
}

export const MALFORMED_NARS: readonly MalformedNar[] = [
  // The beginning.
  row("nothing", Buffer.alloc(0), 0, "the input ends within the NAR"),
  row("half a length", Buffer.from([13, 0, 0, 0]), 4, "the input ends within the NAR"),
  row(
    "another archive",
    Buffer.from("!<arch>\ndebian-binary   1410122664"),
    0,
    /a string of \d+ bytes/,
  ),
  row(
    "a gzip file",
    Buffer.from("1f8b0800000000000003cb48cdc9c9070086a61036", "hex"),
    0,
    keyword("nix-archive-1"),
  ),
  row(
    "another version",
    nar("nix-archive-2", HELLO.subarray(MAGIC.length)),
    0,
    `${keyword("nix-archive-1")} "nix-archive-2"`,
  ),
  row(
    "a magic in capitals",
    nar("NIX-ARCHIVE-1", HELLO.subarray(MAGIC.length)),
    0,
    '"NIX-ARCHIVE-1"',
  ),
  row(
    "a magic of another length",
    nar("nix-archive-", HELLO.subarray(MAGIC.length)),
    0,
    '"nix-archive-"',
  ),
  row("a magic whose padding is not zero", withByte(HELLO, 23, 1), 0, keyword("nix-archive-1")),
  row(
    "a magic of 2^63 bytes",
    raw(2n ** 63n, MAGIC.subarray(8)),
    0,
    "a string of 9223372036854775808 bytes",
  ),
  row("the magic alone", MAGIC, MAGIC.length, "the input ends within the NAR"),
  row("the magic twice", nar(MAGIC, HELLO), MAGIC.length, `${keyword("(")} "nix-archive-1"`),
  row("zeros", Buffer.alloc(256), 0, keyword("nix-archive-1")),
  row("ones", Buffer.alloc(256, 0xff), 0, "a string of 18446744073709551615 bytes"),

  // Nodes.
  row("a node without parentheses", nar("nix-archive-1", "type", "regular"), 24, keyword("(")),
  row("a closed parenthesis for an open one", nar("nix-archive-1", ")"), 24, `${keyword("(")} ")"`),
  row("a node of no type", nar("nix-archive-1", "(", ")"), 40, `${keyword("type")} ")"`),
  row(
    "a kind of node that does not exist",
    nar(open(), "fifo", ")"),
    56,
    `${keyword("regular", "symlink", "directory")} "fifo"`,
  ),
  row(
    "an empty type",
    nar(open(), "", ")"),
    56,
    `${keyword("regular", "symlink", "directory")} ""`,
  ),
  row(
    "a type with a NUL at its end",
    nar(open(), "regular\0", "contents", "", ")"),
    56,
    '"regular\\x00"',
  ),
  row(
    "a type that is given twice",
    nar(open(), "regular", "type", "regular", "contents", "", ")"),
    72,
    `${keyword("contents", "executable")} "type"`,
  ),
  row(
    "a keyword whose padding is not zero",
    nar("nix-archive-1", withByte(frame("("), 12, 7), "type"),
    24,
    `${keyword("(")} "(" with padding that is not zero`,
  ),

  // Files.
  row(
    "a file without contents",
    nar(open(), "regular", ")"),
    72,
    `${keyword("contents", "executable")} ")"`,
  ),
  row(
    "an executable file without contents",
    nar(open(), "regular", "executable", "", ")"),
    104,
    keyword("contents"),
  ),
  row(
    "the mark of an executable with a value",
    nar(open(), "regular", "executable", "1", "contents", "", ")"),
    96,
    `${keyword("")} "1"`,
  ),
  row(
    "the mark of an executable without its empty value",
    nar(open(), "regular", "executable", "contents", "", ")"),
    96,
    keyword(""),
  ),
  row(
    "two marks of an executable",
    nar(open(), "regular", "executable", "", "executable", "", "contents", "", ")"),
    104,
    keyword("contents"),
  ),
  row(
    "the mark of an executable behind the contents",
    nar(open(), "regular", "contents", "x", "executable", "", ")"),
    104,
    `${keyword(")")} "executable"`,
  ),
  row(
    "contents that are given twice",
    nar(open(), "regular", "contents", "x", "contents", "y", ")"),
    104,
    keyword(")"),
  ),
  row(
    "a target in a file",
    nar(open(), "regular", "target", "x", ")"),
    72,
    keyword("contents", "executable"),
  ),
  row("contents cut short", HELLO.subarray(0, 99), 99, "the input ends within the NAR"),
  row(
    "contents without their padding",
    HELLO.subarray(0, 101),
    101,
    "the input ends within the NAR",
  ),
  row(
    "padding of contents that is not zero",
    withByte(HELLO, 103, 1),
    103,
    "padding that is not zero",
  ),
  row(
    "contents of 2^64 - 1 bytes",
    nar(open(), "regular", "contents", raw(2n ** 64n - 1n, ZERO)),
    96,
    "a file of 18446744073709551615 bytes makes the NAR longer",
  ),
  row(
    "contents of 2^53 bytes",
    nar(open(), "regular", "contents", raw(2n ** 53n, ZERO)),
    96,
    "a file of 9007199254740992 bytes makes the NAR longer",
  ),
  row(
    "contents of a tebibyte that do not come",
    nar(open(), "regular", "contents", raw(2n ** 40n, ZERO)),
    97,
    "the input ends within the NAR",
  ),
  row("a file that is not closed", HELLO.subarray(0, 104), 104, "the input ends within the NAR"),
  row(
    "a file closed by something else",
    nar(HELLO.subarray(0, 104), "("),
    104,
    `${keyword(")")} "("`,
  ),

  // Symlinks.
  row("a symlink without a target", nar(open(), "symlink", ")"), 72, `${keyword("target")} ")"`),
  row("contents in a symlink", nar(open(), "symlink", "contents", "x", ")"), 72, keyword("target")),
  row(
    "an executable symlink",
    nar(open(), "symlink", "executable", "", "target", "x", ")"),
    72,
    keyword("target"),
  ),
  row("an empty target", nar(open(), "symlink", "target", "", ")"), 88, "it is empty"),
  row("a NUL in a target", nar(open(), "symlink", "target", "a\0b", ")"), 88, "NUL"),
  row(
    "a target of 4096 bytes",
    nar(open(), "symlink", "target", "x".repeat(4096), ")"),
    88,
    "a target of 4096 bytes, at most 4095 are allowed",
  ),
  row(
    "a target of a tebibyte",
    nar(open(), "symlink", "target", raw(2n ** 40n)),
    88,
    "a target of 1099511627776 bytes",
  ),
  row(
    "padding of a target that is not zero",
    withByte(LINK, 103, 1),
    103,
    "padding that is not zero",
  ),
  row("two targets", nar(open(), "symlink", "target", "x", "target", "y", ")"), 104, keyword(")")),

  // Folders and their entries.
  row(
    "a folder with contents",
    nar(FOLDER_START, "contents", "x", ")"),
    72 + 8,
    `${keyword("entry", ")")} "contents"`,
  ),
  row(
    "a folder that is not closed",
    FOLDER_START,
    FOLDER_START.length,
    "the input ends within the NAR",
  ),
  row(
    "an entry without parentheses",
    nar(FOLDER_START, "entry", "name", "a"),
    FOLDER_START.length + 16,
    keyword("("),
  ),
  row(
    "an entry without a name",
    nar(FOLDER_START, "entry", "(", "node", EMPTY_FILE, ")", ")"),
    FOLDER_START.length + 32,
    `${keyword("name")} "node"`,
  ),
  row(
    "an entry without a node",
    nar(FOLDER_START, "entry", "(", "name", "a", ")", ")"),
    FIRST_NAME + 16,
    `${keyword("node")} ")"`,
  ),
  row(
    "a node in front of its name",
    nar(FOLDER_START, "entry", "(", "node", EMPTY_FILE, "name", "a", ")", ")"),
    FOLDER_START.length + 32,
    keyword("name"),
  ),
  row(
    "an entry with two nodes",
    nar(FOLDER_START, "entry", "(", "name", "a", "node", EMPTY_FILE, "node", EMPTY_FILE, ")", ")"),
    FIRST_NAME + 32 + EMPTY_FILE.length,
    keyword(")"),
  ),
  row(
    "an entry that is not closed",
    nar(FOLDER_START, "entry", "(", "name", "a", "node", EMPTY_FILE),
    FIRST_NAME + 32 + EMPTY_FILE.length,
    "the input ends within the NAR",
  ),
  row(
    "a folder closed within an entry",
    nar(FOLDER_START, "entry", "(", ")"),
    FOLDER_START.length + 32,
    keyword("name"),
  ),

  // Names.
  row("an empty name", folderOf(""), FIRST_NAME, "it is empty"),
  row("the name .", folderOf("."), FIRST_NAME, '"."'),
  row("the name ..", folderOf(".."), FIRST_NAME, '".."'),
  row("a name with a slash", folderOf("a/b"), FIRST_NAME, "it contains a slash"),
  row("an absolute name", folderOf("/etc/passwd"), FIRST_NAME, "it contains a slash"),
  row("a name that climbs", folderOf("../../etc/passwd"), FIRST_NAME, "it contains a slash"),
  row("a name that is a slash", folderOf("/"), FIRST_NAME, "it contains a slash"),
  row("a NUL in a name", folderOf("a\0"), FIRST_NAME, "NUL"),
  row(
    "a name of 256 bytes",
    folderOf("n".repeat(256)),
    FIRST_NAME,
    "a name of 256 bytes, at most 255 are allowed",
  ),
  row(
    "a name of 2^63 bytes",
    nar(FOLDER_START, "entry", "(", "name", raw(2n ** 63n)),
    FIRST_NAME,
    "a name of 9223372036854775808 bytes",
  ),
  row(
    "padding of a name that is not zero",
    withByte(folderOf("a"), FIRST_NAME + 9, 1),
    FIRST_NAME + 9,
    "padding that is not zero",
  ),
  row("a name twice", folderOf("a", "a"), SECOND_NAME, 'duplicate name "a"'),
  row(
    "names in the wrong order",
    folderOf("b", "a"),
    SECOND_NAME,
    'wrong sorting: "a" must come before "b"',
  ),
  row("names in the order of a locale", folderOf("a", "B"), SECOND_NAME, "wrong sorting"),
  row("names in the order of their lengths", folderOf("b", "aa"), SECOND_NAME, "wrong sorting"),
  row(
    "names ordered as signed bytes",
    folderOf(Buffer.from([0xff]), "a"),
    SECOND_NAME,
    "wrong sorting",
  ),
  row(
    "a symlink and a folder of one name, to write through it",
    nar(
      FOLDER_START,
      "entry",
      "(",
      "name",
      "x",
      "node",
      "(",
      "type",
      "symlink",
      "target",
      "/tmp",
      ")",
      ")",
      "entry",
      "(",
      "name",
      "x",
      "node",
      FOLDER.subarray(MAGIC.length),
      ")",
      ")",
    ),
    FIRST_NAME +
      32 +
      frame("(", "type", "symlink", "target", "/tmp", ")", ")", "entry", "(", "name").length,
    'duplicate name "x"',
  ),

  // Depth and end.
  row(
    "4097 folders inside each other",
    deep(4097),
    24 + 4096 * 56 + 4096 * 80 + 56,
    "more than 4096 directories lie inside each other",
  ),
  row(
    "a byte behind the end",
    nar(HELLO, ZERO),
    HELLO.length,
    "something follows the end of the NAR",
  ),
  row(
    "eight zeros behind the end",
    nar(HELLO, Buffer.alloc(8)),
    HELLO.length,
    "something follows the end of the NAR",
  ),
  row(
    "one NAR behind another",
    nar(HELLO, HELLO),
    HELLO.length,
    "something follows the end of the NAR",
  ),
  row(
    "a parenthesis too many",
    nar(FOLDER, ")"),
    FOLDER.length,
    "something follows the end of the NAR",
  ),
];
