import { describe, expect, it } from "vitest";
import { parseNarinfo } from "../../../src/store/narinfo/parse.js";
import { StorePath } from "../../../src/store/store-path.js";
import {
  CURL_NARINFO,
  CURL_REFERENCES,
  CURL_SIGNATURES,
  CURL_STORE_PATH,
} from "../support/narinfos.js";

const parse = (text: string) => parseNarinfo(Buffer.from(text, "latin1"));

/** The narinfo of curl with the line of `key` replaced, or removed. */
function withLine(key: string, line: string): string {
  const pattern = new RegExp(`^${key}: .*\\n`, "m");
  expect(CURL_NARINFO).toMatch(pattern);
  return CURL_NARINFO.replace(pattern, line);
}

/** Where line `number` of the narinfo of curl starts, in bytes. */
function offsetOf(number: number): number {
  return (
    CURL_NARINFO.split("\n")
      .slice(0, number - 1)
      .join("\n").length + (number > 1 ? 1 : 0)
  );
}

const NUMBERS = [
  "StorePath",
  "URL",
  "Compression",
  "FileHash",
  "FileSize",
  "NarHash",
  "NarSize",
  "References",
  "Deriver",
  "System",
];

describe("parseNarinfo()", () => {
  it("reads everything there is", () => {
    expect(parse(CURL_NARINFO)).toEqual({
      storePath: StorePath.parseAbsolute(CURL_STORE_PATH),
      url: "nar/05ra3y72i3qjri7xskf9qj8kb29r6naqy1sqpbs3azi3xcigmj56.nar.xz",
      compression: "xz",
      fileHash: { algorithm: "sha256", digest: expect.any(Buffer) },
      fileSize: 68852n,
      narSha256: expect.any(Buffer),
      narSize: 196040n,
      references: CURL_REFERENCES,
      deriver: StorePath.parse("5rwxzi7pal3qhpsyfc16gzkh939q1np6-curl-7.82.0"),
      system: "x86_64-linux",
      signatures: CURL_SIGNATURES.map((text) => {
        const [name, base64 = ""] = text.split(":");
        return { name, data: Buffer.from(base64, "base64") };
      }),
    });
  });

  it("reads the least there may be, and lines in any order", () => {
    const text = `NarSize: 1
NarHash: sha256:${"0".repeat(52)}
URL: x
StorePath: ${CURL_STORE_PATH}
`;
    expect(parse(text)).toEqual({
      storePath: StorePath.parseAbsolute(CURL_STORE_PATH),
      url: "x",
      compression: "bzip2",
      narSha256: Buffer.alloc(32),
      narSize: 1n,
      references: [],
      signatures: [],
    });
  });

  it.each([
    ["hex", "60adfd293a4d81ad7cd7e47263cbb3fc846309ef91b154a08ba672b558f94ff3"],
    ["base64", "YK39KTpNga181+RyY8uz/IRjCe+RsVSgi6ZytVj5T/M="],
  ])("reads a NarHash in %s", (_base, text) => {
    const { narSha256 } = parse(withLine("NarHash", `NarHash: sha256:${text}\n`));
    expect(Buffer.from(narSha256).toString("hex")).toBe(
      "60adfd293a4d81ad7cd7e47263cbb3fc846309ef91b154a08ba672b558f94ff3",
    );
  });

  it("reads a NarHash as SRI, and a FileHash by another algorithm", () => {
    const sri = "NarHash: sha256-YK39KTpNga181+RyY8uz/IRjCe+RsVSgi6ZytVj5T/M=\n";
    expect(parse(withLine("NarHash", sri)).narSha256[0]).toBe(0x60);
    const { fileHash } = parse(withLine("FileHash", `FileHash: sha1:${"0".repeat(32)}\n`));
    expect(fileHash).toEqual({ algorithm: "sha1", digest: Buffer.alloc(20) });
  });

  it.each<[string, string, string]>([
    ["text", `text:sha256:${"0".repeat(52)}`, "text"],
    ["flat", `fixed:sha512:${"0".repeat(103)}`, "flat"],
    ["recursive", "fixed:r:sha1:1ak1ymbmsfx7z8kh09jzkr3a4dvkrfjw", "nar"],
  ])("reads a content address: %s", (_title, text, method) => {
    expect(parse(`${CURL_NARINFO}CA: ${text}\n`).ca?.method).toBe(method);
  });

  it("keeps references in the order they have", () => {
    const names = [
      "zzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzz-glibc-2.7",
      "00000000000000000000000000000000-a",
    ];
    const { references } = parse(withLine("References", `References: ${names.join(" ")}\n`));
    expect(references.map(({ basename }) => basename)).toEqual(names);
  });

  it("takes an unknown deriver for none", () => {
    const text = withLine("Deriver", "Deriver: unknown-deriver\n");
    expect(parse(text)).not.toHaveProperty("deriver");
  });

  it("passes over keys it does not know, even twice", () => {
    const text = `Priority: 1\n${CURL_NARINFO}Priority: 2\nX: \nconstructor: a: b\n`;
    expect(parse(text)).toEqual(parse(CURL_NARINFO));
  });

  it.each([
    ["no colon", "cache.nixos.org-1"],
    ["nothing", ""],
    ["no name", `:${"A".repeat(86)}==`],
    ["a short signature", `a:${"A".repeat(84)}`],
    ["no base64", `a:${"!".repeat(88)}`],
    ["a blank in its name", `a b:${"A".repeat(86)}==`],
  ])("passes over a signature with %s, and keeps the others", (_title, signature) => {
    expect(parse(`Sig: ${signature}\n${CURL_NARINFO}`)).toEqual(parse(CURL_NARINFO));
  });

  it.each(["under_score+1", "a/b", "größe", "."])(
    "keeps a signature by a key called %s",
    (name) => {
      const text = Buffer.from(`${CURL_NARINFO}Sig: ${name}:${"A".repeat(86)}==\n`);
      expect(parseNarinfo(text).signatures[2]?.name).toBe(name);
    },
  );
});

const PATH = "syd87l2rxw8cbsxmxl853h0r6pdwhwjr-curl-7.82.0-bin";
const ZEROS = "0".repeat(52);

/** Lines that replace the one of their key, and what must be said about them. */
const MALFORMED_LINES: readonly [title: string, line: string, reason: string][] = [
  ["a relative store path", `StorePath: ${PATH}`, "it is not in /nix/store"],
  ["a path in another store", `StorePath: /gnu/store/${PATH}`, "it is not in /nix/store"],
  ["a store path without a name", "StorePath: /nix/store/syd87l2rxw8cbsxmxl853h0r6pdwhwjr", "32"],
  ["something below a store path", `StorePath: /nix/store/${PATH}/bin`, "is not allowed"],
  ["a way out of the store", `StorePath: /nix/store/../${PATH}`, "is not in the alphabet"],
  ["an empty store path", "StorePath: ", "it is not in /nix/store"],
  ["a store path in capitals", `StorePath: /nix/store/${PATH.toUpperCase()}`, "the alphabet"],
  ["a dot for a name", `StorePath: /nix/store/${PATH.slice(0, 33)}..`, "is . or .."],
  ["a blank after the store path", `StorePath: /nix/store/${PATH} `, "is not allowed"],
  ["an empty URL", "URL: ", "it is empty"],
  ["a URL with a blank", "URL: nar/a b.nar", "has blanks"],
  ["a URL that begins with a blank", "URL:  nar/a.nar", "has blanks"],
  ["an empty compression", "Compression: ", "it is empty"],
  ["a compression of two words", "Compression: xz none", "has blanks"],
  ["a file hash without algorithm", `FileHash: ${ZEROS}`, "it names no algorithm"],
  ["a file hash that is cut", `FileHash: sha256:${ZEROS.slice(1)}`, "51 characters"],
  ["an empty file hash", "FileHash: ", "it names no algorithm"],
  ["a file hash by another algorithm", `FileHash: blake3:${ZEROS}`, "unknown algorithm"],
  ["a negative file size", "FileSize: -1", "is not a number of bytes"],
  ["a file size that is no number", "FileSize: many", "is not a number of bytes"],
  ["a file size beyond 64 bits", "FileSize: 18446744073709551616", "is not a number of bytes"],
  ["a file size in hex", "FileSize: 0x10", "is not a number of bytes"],
  ["an empty NAR hash", "NarHash: ", "it names no algorithm"],
  ["a NAR hash that is no SHA-256", `NarHash: sha1:${"0".repeat(32)}`, "is not a SHA-256"],
  ["a NAR hash with a wrong digit", `NarHash: sha256:e${ZEROS.slice(1)}`, "not in the alphabet"],
  ["a NAR hash with bits too many", `NarHash: sha256:z${ZEROS.slice(1)}`, "beyond its last byte"],
  ["a NAR hash that is too long", `NarHash: sha256:${ZEROS}0`, "53 characters"],
  ["a NAR of 0 bytes", "NarSize: 0", "no NAR has 0 bytes"],
  ["an empty NAR size", "NarSize: ", "is not a number of bytes"],
  ["a NAR size with a fraction", "NarSize: 1.5", "is not a number of bytes"],
  ["a NAR size with an exponent", "NarSize: 1e3", "is not a number of bytes"],
  ["a NAR size with a sign", "NarSize: +1", "is not a number of bytes"],
  ["a NAR size with a blank after it", "NarSize: 1 ", "is not a number of bytes"],
  ["a NAR size of a million digits", `NarSize: ${"9".repeat(1e6)}`, "is not a number of bytes"],
  ["a NAR size in Arabic digits", "NarSize: \u0661", "is not a number of bytes"],
  ["an absolute reference", `References: /nix/store/${PATH}`, "is not in the alphabet"],
  ["a reference without a name", "References: syd87l2rxw8cbsxmxl853h0r6pdwhwjr", "32 characters"],
  ["two blanks between references", `References: ${PATH}  ${PATH}`, "0 characters"],
  ["a blank after the references", `References: ${PATH} `, "0 characters"],
  ["references with commas", `References: ${PATH},${PATH}`, "is not allowed"],
  ["a deriver that is no derivation", `Deriver: ${PATH}`, "does not end in .drv"],
  ["a deriver without a name", `Deriver: ${PATH.slice(0, 33)}.drv`, "it is empty"],
  ["an empty deriver", "Deriver: ", "0 characters"],
  ["an absolute deriver", `Deriver: /nix/store/${PATH}.drv`, "is not in the alphabet"],
  ["an empty system", "System: ", "it is empty"],
];

describe("parseNarinfo() refuses, naming line, offset, key and reason,", () => {
  it.each(MALFORMED_LINES)("%s", (_title, line, reason) => {
    const key = line.slice(0, line.indexOf(":"));
    const number = NUMBERS.indexOf(key) + 1;
    const where = `line ${number} (offset ${offsetOf(number)}): ${key}: `;
    const text = withLine(key, `${line}\n`);
    expect(() => parseNarinfo(Buffer.from(text))).toThrow(
      expect.objectContaining({
        code: "invalid-argument",
        message: expect.stringMatching(/^[^\n]{0,1000}$/),
      }),
    );
    expect(() => parseNarinfo(Buffer.from(text))).toThrow(`Invalid narinfo, ${where}`);
    expect(() => parseNarinfo(Buffer.from(text))).toThrow(reason);
  });

  const size = CURL_NARINFO.length;
  const lines = CURL_NARINFO.split("\n").length;
  const after = `line ${lines} (offset ${size}): `;
  it.each<[string, string, string]>([
    ["an empty narinfo", "", "line 1 (offset 0): it ends without StorePath"],
    ["an empty line", `${CURL_NARINFO}\n`, `${after}"" is not a key, a colon`],
    ["an empty line before all others", `\n${CURL_NARINFO}`, 'line 1 (offset 0): "" is not a key'],
    ["a last line that does not end", `${CURL_NARINFO}A: b`, `${after}the line does not end`],
    ["line ends of DOS", CURL_NARINFO.replaceAll("\n", "\r\n"), "line 1 (offset 0): "],
    ["a carriage return alone", `${CURL_NARINFO}A: b\rSig: c\n`, `${after}"A: b\\x0dSig: c" has`],
    ["a NUL", `${CURL_NARINFO}A: b\0\n`, `${after}"A: b\\x00" has control characters`],
    ["a tab", `${CURL_NARINFO}A: \tb\n`, `${after}"A: \\x09b" has control characters`],
    ["what is not UTF-8", `${CURL_NARINFO}A: \xff\n`, `${after}"A: \\xff" is not UTF-8`],
    ["a byte order mark", `\xef\xbb\xbf${CURL_NARINFO}`, "without StorePath"],
    ["no colon", `${CURL_NARINFO}A\n`, `${after}"A" is not a key, a colon`],
    ["no key", `${CURL_NARINFO}: a\n`, `${after}": a" is not a key, a colon`],
    ["no blank after the colon", `${CURL_NARINFO}A:b\n`, `${after}"A:b" is not a key, a colon`],
    ["nothing after the colon", `${CURL_NARINFO}A:\n`, `${after}"A:" is not a key, a colon`],
    ["a blank later only", `${CURL_NARINFO}A:b: c\n`, `${after}"A:b: c" is not a key, a colon`],
    ["a page instead", "<html>not found</html>\n", 'line 1 (offset 0): "<html>not found</html>"'],
    ["an unknown content address", `${CURL_NARINFO}CA: fixed:x\n`, `${after}CA: Invalid content`],
    ["an empty content address", `${CURL_NARINFO}CA: \n`, `${after}CA: Invalid content address ""`],
    ...["StorePath", "URL", "NarHash", "NarSize"].map((key): [string, string, string] => [
      `no ${key}`,
      withLine(key, ""),
      `line ${lines - 1} (offset ${size - (CURL_NARINFO.match(new RegExp(`^${key}: .*\n`, "m"))?.[0].length ?? 0)}): it ends without ${key}`,
    ]),
    ...NUMBERS.map((key, index): [string, string, string] => [
      `${key} twice`,
      `${CURL_NARINFO}${CURL_NARINFO.split("\n")[index]}\n`,
      `${after}${key} is on line ${index + 1} already`,
    ]),
    [
      "a content address twice",
      `${CURL_NARINFO}${`CA: text:sha256:${ZEROS}\n`.repeat(2)}`,
      `line ${lines + 1} (offset ${size + ZEROS.length + 17}): CA is on line ${lines} already`,
    ],
  ])("%s", (_title, text, message) => {
    expect(() => parse(text)).toThrow(
      expect.objectContaining({
        code: "invalid-argument",
        message: expect.stringContaining(message),
      }),
    );
  });

  it("what is cut at any byte, but at the end of an optional line", () => {
    for (let length = 0; length < CURL_NARINFO.length; length++) {
      const text = CURL_NARINFO.slice(0, length);
      if (text.endsWith("\n") && text.includes("NarSize: "))
        expect(parse(text).narSize).toBe(196040n);
      else expect(() => parse(text)).toThrow(expect.objectContaining({ code: "invalid-argument" }));
    }
  });

  it("more than 256 signatures", () => {
    const more = (count: number) =>
      `${CURL_NARINFO}${`Sig: a:${"A".repeat(86)}==\n`.repeat(count)}`;
    expect(parse(more(254)).signatures).toHaveLength(256);
    expect(() => parse(more(255))).toThrow("more than 256 signatures");
  });

  it("more than 2 MiB", () => {
    const text = CURL_NARINFO + "Sig: a\n".repeat(300_000);
    expect(() => parse(text)).toThrow(
      expect.objectContaining({
        code: "limit-exceeded",
        message: `Invalid narinfo: ${text.length} bytes, at most 2097152 are allowed`,
      }),
    );
  });
});
