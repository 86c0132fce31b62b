/**
 * A tree with everything that may be on a disk, and that a store can hold.
 */
import { chmodSync, mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { noise } from "./bytes.js";

const SLASH = Buffer.from("/");

/** Names of one folder: what a shell, a terminal or a decoder may stumble over. */
const NAMES: readonly (string | Buffer)[] = [
  "with space",
  " leading and trailing ",
  "two\nlines",
  "tab\tand \u0007 bell",
  "-rf",
  "--help",
  "*",
  "$(touch pwned)",
  "quote'quote\"quote",
  "back\\slash",
  "percent%41",
  "...",
  ".hidden",
  "größe",
  "日本語",
  "🦊",
  "e\u0301 decomposed",
  "\u00e9 composed",
  "case",
  "Case",
  "CASE",
  "cASE",
  "n".repeat(255),
  "ü".repeat(127),
  "~",
];

/** Names that are no text; the fuse-native engine leaves them out. */
const BYTE_NAMES: readonly Buffer[] = [
  Buffer.from([0xff]),
  Buffer.from([0xc3]),
  Buffer.from("latin-1 gr\xf6\xdfe", "latin1"),
  Buffer.concat([Buffer.from("surrogate "), Buffer.from([0xed, 0xa0, 0x80])]),
];

const MANY_ENTRIES = 10_000;
const DEPTH = 60;

/** Makes the tree at `root`. With `bytes`, some names are not UTF-8. */
export function makeGeneratedTree(root: string, { bytes }: { readonly bytes: boolean }): void {
  const at = (...names: (string | Buffer)[]) =>
    Buffer.concat([
      Buffer.from(root),
      ...names.flatMap((name) => [SLASH, Buffer.from(name as string)]),
    ]);
  const folder = (...names: (string | Buffer)[]) => mkdirSync(at(...names), { recursive: true });
  const file = (content: Uint8Array | string, mode: number, ...names: (string | Buffer)[]) => {
    writeFileSync(at(...names), content);
    chmodSync(at(...names), mode);
  };

  folder("empty");
  folder("names", "empty folders too");
  for (const name of bytes ? [...NAMES, ...BYTE_NAMES] : NAMES) {
    folder("names", name);
    file(Buffer.from(name as string), 0o644, "names", name, name);
    symlinkSync(Buffer.from(name as string), at("names", name, "link"));
  }

  folder("sizes");
  for (const size of [0, 1, 4095, 4096, 4097, 65_535, 65_536, 65_537, 131_072, 1_048_577, 5e6]) {
    file(noise(size, size + 1), 0o644, "sizes", `${size}`);
  }
  folder("modes");
  for (const mode of [0o400, 0o444, 0o500, 0o600, 0o644, 0o655, 0o700, 0o755, 0o777, 0o4755]) {
    file(`${mode}`, mode, "modes", mode.toString(8));
  }

  folder("links", "target");
  file("through a link\n", 0o644, "links", "target", "file");
  const links: [string, string][] = [
    ["to-file", "target/file"],
    ["to-folder", "target"],
    ["up", "../sizes/1"],
    ["dangling", "no/such/thing"],
    ["absolute", "/nix/store/somewhere"],
    ["to-itself", "to-itself"],
    ["of-4095-bytes", "x".repeat(4095)],
    ["with\nnewline", "a\nb"],
    ["unusual", "//a//../b/."],
  ];
  for (const [name, target] of links) symlinkSync(target, at("links", name));

  folder("many");
  for (let index = 0; index < MANY_ENTRIES; index++) {
    file(index % 10 === 0 ? `${index}` : "", index % 3 === 0 ? 0o755 : 0o644, "many", `${index}`);
  }

  const way = Array.from({ length: DEPTH }, (_, index) => `level ${index}`);
  folder("deep", ...way);
  file("bottom\n", 0o644, "deep", ...way, "file");

  // Equal folders and equal files appear in several places.
  for (const name of ["twin", "twin again"]) {
    folder(name, "inner");
    file(noise(100_000, 77), 0o644, name, "inner", "file");
    file(noise(100_000, 77), 0o755, name, "inner", "program");
  }
}
