/**
 * NARs as bytes: written from trees, cut into chunks, and put together wrongly on purpose.
 */
import type { NarReaderOptions } from "../../../../src/store/nar/grammar.js";
import { NarReader } from "../../../../src/store/nar/reader.js";
import { NarWriter } from "../../../../src/store/nar/writer.js";
import { type Tree, writeTreeAsNar } from "../../support/tree.js";

/** The NAR of `tree`. */
export function narOf(tree: Tree): Buffer {
  const pieces: Uint8Array[] = [];
  const writer = new NarWriter((piece) => pieces.push(piece));
  writeTreeAsNar(tree, writer);
  writer.finish();
  return Buffer.concat(pieces);
}

/** `bytes` in chunks that end at `cuts`, each a copy of its own. */
export function cutAt(bytes: Uint8Array, cuts: readonly number[]): Buffer[] {
  const ends = [...cuts].map((cut) => cut % (bytes.length + 1)).sort((a, b) => a - b);
  const chunks: Buffer[] = [];
  let start = 0;
  for (const end of [...ends, bytes.length]) {
    chunks.push(Buffer.from(bytes.subarray(start, end)));
    start = end;
  }
  return chunks;
}

/** `bytes` one at a time. */
export function singly(bytes: Uint8Array): Buffer[] {
  return Array.from(bytes, (byte) => Buffer.from([byte]));
}

/** Everything in a NAR as one text, with the contents of its files. */
export async function transcript(
  chunks: Iterable<Uint8Array>,
  options?: NarReaderOptions,
): Promise<string> {
  const lines: string[] = [];
  await using reader = new NarReader(chunks, options);
  try {
    for (let item = await reader.next(); item !== undefined; item = await reader.next()) {
      lines.push(describe(item));
      if (item.type !== "file") continue;
      const contents: Uint8Array[] = [];
      for (let piece = await reader.read(); piece !== undefined; piece = await reader.read()) {
        contents.push(Buffer.from(piece));
      }
      lines.push(Buffer.concat(contents).toString("hex"));
    }
    lines.push(`end at ${reader.position}`);
  } catch (error) {
    lines.push(String(error));
  }
  return lines.join("\n");
}

function describe(item: object): string {
  return JSON.stringify(item, (_key, value) =>
    value?.type === "Buffer" ? Buffer.from(value.data).toString("hex") : value,
  );
}

/** The tree that `reader` goes through. */
export async function readTree(chunks: Iterable<Uint8Array>): Promise<Tree> {
  await using reader = new NarReader(chunks);
  const stack: { name: Uint8Array; entries: [Uint8Array, Tree][] }[] = [];
  let root: Tree | undefined;
  const add = (name: Uint8Array, tree: Tree): void => {
    const parent = stack.at(-1);
    if (parent === undefined) root = tree;
    else parent.entries.push([name, tree]);
  };
  for (let item = await reader.next(); item !== undefined; item = await reader.next()) {
    switch (item.type) {
      case "directory":
        stack.push({ name: item.name, entries: [] });
        break;
      case "directory-end": {
        const { name, entries } = stack.pop() as (typeof stack)[number];
        add(name, { type: "directory", entries });
        break;
      }
      case "symlink":
        add(item.name, { type: "symlink", target: item.target });
        break;
      case "file": {
        const contents: Uint8Array[] = [];
        for (let piece = await reader.read(); piece !== undefined; piece = await reader.read()) {
          contents.push(Buffer.from(piece));
        }
        const content = Buffer.concat(contents);
        add(item.name, { type: "file", content, executable: item.executable });
      }
    }
  }
  return root as Tree;
}
