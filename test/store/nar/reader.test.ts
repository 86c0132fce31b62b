import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { NIX_DEPTH_MAX } from "../../../src/store/nar/grammar.js";
import { NarReader } from "../../../src/store/nar/reader.js";
import { noise } from "../../support/bytes.js";
import { NAR_FIXTURES } from "../support/nar-fixtures.js";
import { directory, file, symlink, type Tree, treeArbitrary } from "../support/tree.js";
import { MALFORMED_NARS } from "./support/malformed.js";
import { cutAt, narOf, readTree, singly, transcript } from "./support/nar.js";

const SAMPLE = narOf(
  directory({
    a: file("first", true),
    b: directory({ c: symlink("../a") }),
    d: file(noise(100)),
  }),
);

function nested(levels: number): Tree {
  let tree: Tree = directory({});
  for (let level = 1; level < levels; level++) tree = directory({ d: tree });
  return tree;
}

describe("NarReader", () => {
  it.each(NAR_FIXTURES)("reads $title", async ({ tree, length }) => {
    const nar = narOf(tree);
    expect(nar).toHaveLength(length);
    expect(narOf(await readTree([nar]))).toEqual(nar);
  });

  it("gives back any tree that was written", async () => {
    await fc.assert(
      fc.asyncProperty(treeArbitrary, async (tree) => {
        const nar = narOf(tree);
        expect(narOf(await readTree([nar])).equals(nar)).toBe(true);
      }),
    );
  });

  it("gives the same however the input is cut", async () => {
    await fc.assert(
      fc.asyncProperty(treeArbitrary, fc.array(fc.nat(), { maxLength: 30 }), async (tree, cuts) => {
        const nar = narOf(tree);
        const whole = await transcript([nar]);
        expect(await transcript(cutAt(nar, cuts))).toBe(whole);
        expect(await transcript(singly(nar))).toBe(whole);
      }),
    );
  });

  it("tells where contents start, and their size", async () => {
    const nar = narOf(directory({ a: file("first", true), b: file("second") }));
    await using reader = new NarReader([nar]);
    for (let item = await reader.next(); item !== undefined; item = await reader.next()) {
      if (item.type !== "file") continue;
      const contents = nar.subarray(item.offset, item.offset + item.size).toString();
      expect(contents).toBe(item.name.toString() === "a" ? "first" : "second");
      await reader.skip();
    }
    expect(reader.position).toBe(nar.length);
  });

  it.each(MALFORMED_NARS)("refuses $title", async ({ nar, offset, reason }) => {
    const said = (await transcript([nar])).split("\n").at(-1) as string;
    expect(said).toMatch(/^StoreError: Invalid NAR: at byte \d+: /);
    expect(said).toContain(`at byte ${offset}:`);
    expect(said).toMatch(typeof reason === "string" ? new RegExp(literally(reason)) : reason);
    if (nar.length < 10_000) {
      expect((await transcript(singly(nar))).split("\n").at(-1)).toBe(said);
    }
  });

  it("has a table of at least sixty of them", () => {
    expect(new Set(MALFORMED_NARS.map(({ title }) => title)).size).toBeGreaterThanOrEqual(60);
  });

  it("refuses a NAR that is cut off at any byte, naming it", async () => {
    for (let length = 0; length < SAMPLE.length; length++) {
      const said = (await transcript([SAMPLE.subarray(0, length)])).split("\n").at(-1);
      expect(said).toBe(
        `StoreError: Invalid NAR: at byte ${length}: the input ends within the NAR`,
      );
    }
    expect(await transcript([SAMPLE])).toMatch(/end at \d+$/);
  });

  it("fails again with the error it failed with", async () => {
    await using reader = new NarReader([Buffer.alloc(64)]);
    const first = await reader.next().catch((error: unknown) => error);
    expect(first).toMatchObject({ code: "invalid-argument" });
    await expect(reader.next()).rejects.toBe(first);
    await expect(reader.read()).rejects.toBe(first);
    await expect(reader.skip()).rejects.toBe(first);
  });

  it("passes on what its source throws, and stays failed", async () => {
    const outage = new Error("an outage made by a test");
    await using reader = new NarReader(
      (async function* () {
        yield SAMPLE.subarray(0, 100);
        throw outage;
      })(),
    );
    const read = async () => {
      for (;;) {
        const item = await reader.next();
        if (item?.type === "file") await reader.skip();
      }
    };
    await expect(read()).rejects.toBe(outage);
    await expect(reader.next()).rejects.toBe(outage);
  });

  it("calls it a mistake to go on before contents were read, and to read where there are none", async () => {
    await using reader = new NarReader([SAMPLE]);
    await expect(reader.read()).rejects.toThrow(TypeError);
    expect(await reader.next()).toMatchObject({ type: "directory" });
    expect(await reader.next()).toMatchObject({ type: "file" });
    await expect(reader.next()).rejects.toThrow(TypeError);
    await reader.skip();
    expect(await reader.next()).toMatchObject({ type: "directory" });
  });

  it("calls it a mistake to ask twice at once", async () => {
    await using reader = new NarReader(
      (async function* () {
        yield* singly(SAMPLE);
      })(),
    );
    const first = reader.next();
    await expect(reader.next()).rejects.toThrow(TypeError);
    expect(await first).toMatchObject({ type: "directory" });
  });

  it("lets go of a source that it has not read to the end", async () => {
    let closed = 0;
    const source = async function* () {
      try {
        for (;;) yield SAMPLE;
      } finally {
        closed++;
      }
    };
    {
      await using reader = new NarReader(source());
      await reader.next();
    }
    expect(closed).toBe(1);
  });

  it("takes limits: depth, names, targets, size", async () => {
    const last = async (nar: Buffer, options: object) =>
      (await transcript([nar], options)).split("\n").at(-1);
    const deep = narOf(nested(3));
    expect(await last(deep, { depthMax: 3 })).toMatch(/^end/);
    expect(await last(deep, { depthMax: 2 })).toContain("more than 2 directories");
    const named = narOf(directory({ name: symlink("target") }));
    expect(await last(named, { nameBytesMax: 4, targetBytesMax: 6 })).toMatch(/^end/);
    expect(await last(named, { nameBytesMax: 3 })).toContain("at most 3 are allowed");
    expect(await last(named, { targetBytesMax: 5 })).toContain("at most 5 are allowed");
    expect(await last(SAMPLE, { narSizeMax: SAMPLE.length })).toMatch(/^end/);
    for (let narSizeMax = 0; narSizeMax < SAMPLE.length; narSizeMax++) {
      const said = await last(SAMPLE, { narSizeMax });
      expect(said).toMatch(/^StoreError: Invalid NAR: at byte \d+: .* longer than \d+ bytes$/);
    }
  });

  it("warns once of a tree that is deeper than current Nix takes", async () => {
    for (const [levels, warnings] of [
      [NIX_DEPTH_MAX, 0],
      [NIX_DEPTH_MAX + 1, 1],
      [NIX_DEPTH_MAX + 9, 1],
    ] as const) {
      let warned = 0;
      await transcript([narOf(nested(levels))], { onDeep: () => warned++ });
      expect([levels, warned]).toEqual([levels, warnings]);
    }
  });

  it("reads 4096 directories inside each other", async () => {
    const said = await transcript([narOf(nested(4096))]);
    const lines = said.split("\n");
    expect(lines).toHaveLength(2 * 4096 + 1);
    expect(lines.at(-1)).toMatch(/^end at \d+$/);
  });

  it("holds no more of a large file than the chunk that came", async () => {
    const chunk = Buffer.alloc(1 << 20);
    const head = narOf(file("")).subarray(0, 88);
    const size = Buffer.alloc(8);
    const chunks = 600;
    size.writeBigUInt64LE(BigInt(chunks * chunk.length));
    const source = function* () {
      yield Buffer.concat([head, size]);
      for (let index = 0; index < chunks; index++) yield Buffer.from(chunk);
      yield narOf(file("")).subarray(96);
    };
    const before = process.memoryUsage().rss;
    await using reader = new NarReader(source());
    await reader.next();
    let bytes = 0;
    let peak = 0;
    for (let piece = await reader.read(); piece !== undefined; piece = await reader.read()) {
      bytes += piece.length;
      peak = Math.max(peak, process.memoryUsage().arrayBuffers);
    }
    expect(await reader.next()).toBeUndefined();
    expect(bytes).toBe(chunks * chunk.length);
    expect(peak).toBeLessThan(before + 100e6);
  });
});

function literally(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
}
