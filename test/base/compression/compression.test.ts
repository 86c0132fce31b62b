import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { brotliCompressSync, brotliDecompressSync, constants, gzipSync } from "node:zlib";
import { describe, expect, it } from "vitest";
import { compress, WRITABLE_COMPRESSIONS } from "../../../src/base/compression/compress.js";
import {
  COMPRESSIONS,
  type Compression,
  isCompression,
} from "../../../src/base/compression/compression.js";
import { decompress } from "../../../src/base/compression/decompress.js";
import { BinaryCache } from "../../support/binary-cache.js";
import { collect, noise } from "../../support/bytes.js";
import { python } from "../../support/python.js";
import { nixObstacle, RealNix } from "../../support/real-nix.js";
import { temporaryFolder } from "../../support/temp.js";

const MIB = 1024 * 1024;
const GREETING = Buffer.from("tvix-store, tvix-store, tvix-store\n");

/** What `zstd -19` makes of the greeting, with a checksum; version 1.5. */
const ZSTD_GREETING = Buffer.from("KLUv/QRonQAAaHR2aXgtc3RvcmUsIAoBAFdKElbBPlY=", "base64");

const FAST_BROTLI = { params: { [constants.BROTLI_PARAM_QUALITY]: 4 } };

/** Half of it shrinks, half does not. */
const CONTENT = Buffer.concat([
  noise(700_001),
  Buffer.from("the store one mounts instead of copying\n".repeat(20_000)),
  noise(100_003, 7),
]);

/** The real tools, but for zstd, which no tool that is always there writes. */
const TOOLS: Readonly<Record<Exclude<Compression, "zstd">, (content: Buffer) => Buffer>> = {
  none: (content) => content,
  xz: (content) => python("import lzma; out = lzma.compress(data)", content),
  bzip2: (content) => python("import bz2; out = bz2.compress(data)", content),
  gzip: (content) => python("import gzip; out = gzip.compress(data)", content),
  br: (content) => brotliCompressSync(content),
};

const UNTOOLS: Readonly<Record<string, (content: Buffer) => Buffer>> = {
  none: (content) => content,
  xz: (content) => python("import lzma; out = lzma.decompress(data)", content),
  gzip: (content) => python("import gzip; out = gzip.decompress(data)", content),
  br: (content) => brotliDecompressSync(content),
};

async function pack(compression: Compression, content: Buffer): Promise<Buffer> {
  if (compression !== "zstd") return TOOLS[compression](content);
  return await collect(compress("zstd", split(content)));
}

const compressed = new Map<Compression, Buffer>();
async function sample(compression: Compression): Promise<Buffer> {
  let bytes = compressed.get(compression);
  if (bytes === undefined) {
    bytes = await pack(compression, CONTENT);
    compressed.set(compression, bytes);
  }
  return bytes;
}

const greetings = new Map<Compression, Buffer>();
function greeting(compression: Compression): Buffer {
  const bytes =
    greetings.get(compression) ??
    (compression === "zstd" ? ZSTD_GREETING : TOOLS[compression](GREETING));
  greetings.set(compression, bytes);
  return bytes;
}

async function* split(bytes: Uint8Array, length = 64 * 1024): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += length) yield bytes.subarray(at, at + length);
}

function unpack(compression: Compression, bytes: Uint8Array, length?: number): Promise<Buffer> {
  return collect(decompress(compression, split(bytes, length), { bytesMax: 16 * MIB }));
}

function error(code: string, message: string | RegExp = /./): unknown {
  return expect.objectContaining({ code, message: expect.stringMatching(message) });
}

describe.each([
  ["with the libraries of this system", false],
  ["with packages alone", true],
])("decompress(), %s,", (_, portable) => {
  // The others know one way only.
  const names = portable ? COMPRESSIONS.filter((name) => /^(xz|zstd)$/.test(name)) : COMPRESSIONS;
  const real = names.filter((name) => name !== "none");
  const open: typeof decompress = (name, source, options) =>
    decompress(name, source, { ...options, portable });
  const unpack = (name: Compression, bytes: Uint8Array, length?: number) =>
    collect(open(name, split(bytes, length), { bytesMax: 16 * MIB }));

  it.each(names)("gives what was compressed as %s, however the input is split", async (name) => {
    const bytes = await sample(name);
    for (const length of [64 * 1024, 1000, bytes.length]) {
      expect((await unpack(name, bytes, length)).equals(CONTENT)).toBe(true);
    }
  });

  it.each(real)("gives %s of a length that fills all the room there is", async (name) => {
    for (const length of [256 * 1024, MIB]) {
      const content = noise(length);
      const bytes = await pack(name, content);
      for (const cut of [64 * 1024, bytes.length]) {
        expect((await unpack(name, bytes, cut)).equals(content)).toBe(true);
      }
    }
  });

  it.runIf(!portable).each(["xz", "zstd"] as const)(
    "keeps a MiB of %s when it may use the memory of its pieces again",
    async (name) => {
      const content = noise(3 * MIB);
      const kept: Uint8Array[] = [];
      const memories = new Set<ArrayBufferLike>();
      let given = 0;
      const options = { bytesMax: content.length, transient: true };
      for await (const piece of open(name, split(await pack(name, content)), options)) {
        kept.push(piece);
        memories.add(piece.buffer);
        given += piece.length;
        if (kept.length > 8) kept.shift();
        const last = Buffer.concat(kept).subarray(-MIB);
        expect(last.equals(content.subarray(given - last.length, given))).toBe(true);
      }
      expect(given).toBe(content.length);
      expect(memories.size).toBe(1);
    },
  );

  it.each(names)("takes %s byte by byte", async (name) => {
    const bytes = greeting(name);
    expect((await unpack(name, bytes, 1)).equals(GREETING)).toBe(true);
  });

  it.each(real)("gives nothing for %s of nothing", async (name) => {
    const bytes =
      name === "zstd"
        ? Buffer.from("28b52ffd240001000099e9d851", "hex")
        : TOOLS[name](Buffer.alloc(0));
    expect(await unpack(name, bytes)).toHaveLength(0);
  });

  it.each(real)("takes several %s streams one after the other as one", async (name) => {
    if (name === "br") return; // The format has none.
    const one = greeting(name);
    for (const length of [1, one.length, 1000]) {
      const whole = await unpack(name, Buffer.concat([one, one, one]), length);
      expect(whole.toString()).toBe(GREETING.toString().repeat(3));
    }
  });

  it.each(real)("refuses %s that ends too soon, wherever that is", async (name) => {
    const bytes = await sample(name);
    for (const length of [0, 1, 5, 100, bytes.length >> 1, bytes.length - 5, bytes.length - 1]) {
      await expect(unpack(name, bytes.subarray(0, length))).rejects.toEqual(
        error("invalid-argument", /^Cannot decompress /),
      );
    }
  });

  it.each(real)("refuses %s that something follows", async (name) => {
    const bytes = greeting(name);
    for (const length of [1, bytes.length, 1000]) {
      const followed = Buffer.concat([bytes, Buffer.from("something else")]);
      await expect(unpack(name, followed, length)).rejects.toEqual(error("invalid-argument"));
    }
  });

  it.each(real)("refuses what is not %s", async (name) => {
    const page = Buffer.from("<html><body>404 Not Found, and a kind word</body></html>\n");
    await expect(unpack(name, page)).rejects.toEqual(error("invalid-argument"));
    await expect(unpack(name, noise(100_000))).rejects.toEqual(error("invalid-argument"));
  });

  it.each(real)("gives a value or a StoreError for damaged %s", async (name) => {
    const bytes = name === "zstd" ? await sample("zstd") : greeting(name);
    for (let at = 0; at < Math.min(bytes.length, 300); at++) {
      const damaged = Buffer.from(bytes);
      damaged[at] = (damaged[at] as number) ^ 0x41;
      const outcome = await unpack(name, damaged).catch((reason: unknown) => reason);
      if (!Buffer.isBuffer(outcome)) {
        expect(outcome).toMatchObject({ name: "StoreError" });
        expect(["invalid-argument", "limit-exceeded"]).toContain(
          (outcome as { code: string }).code,
        );
      }
    }
  });

  it.each(names)("stops %s at the first byte that is too many", async (name) => {
    const bytes = await sample(name);
    const unpackUpTo = (bytesMax: number) => collect(open(name, split(bytes), { bytesMax }));
    expect(await unpackUpTo(CONTENT.length)).toHaveLength(CONTENT.length);
    await expect(unpackUpTo(CONTENT.length - 1)).rejects.toEqual(error("limit-exceeded"));
  });

  it.each([
    [
      "xz",
      (content: Buffer) => python("import lzma; out = lzma.compress(data, preset=0)", content),
    ],
    ["bzip2", (content: Buffer) => python("import bz2; out = bz2.compress(data, 1)", content)],
    ["gzip", (content: Buffer) => gzipSync(content)],
    ["br", (content: Buffer) => brotliCompressSync(content, FAST_BROTLI)],
    ["zstd", () => zstdOfRepeatedBytes(2 ** 17)],
  ] as const)("stops a bomb of %s without unpacking it", async (name, make) => {
    if (!names.includes(name)) return;
    const bomb = make(Buffer.alloc(100 * MIB));
    let pulled = 0;
    async function* source(): AsyncGenerator<Uint8Array> {
      for await (const piece of split(bomb, 1024)) {
        pulled += piece.length;
        yield piece;
      }
    }
    const before = process.memoryUsage().rss;
    const unpacking = collect(open(name, source(), { bytesMax: MIB }));
    await expect(unpacking).rejects.toEqual(error("limit-exceeded"));
    expect(process.memoryUsage().rss - before).toBeLessThan(80 * MIB);
    // bzip2 looks ahead by a block, the libraries are given 128 KiB at a time: that is all of some bombs.
    const isLibrary = !portable && /^(xz|zstd)$/.test(name);
    if (name === "bzip2" || bomb.length <= (isLibrary ? 2 * 128 * 1024 : 4096)) return;
    expect(pulled).toBeLessThan(bomb.length / 2);
  });

  it("refuses windows that are larger than asked for", async () => {
    const large = python(
      "import lzma; out = lzma.compress(data, filters=[{'id': lzma.FILTER_LZMA2, 'dict_size': 2**26}])",
      GREETING,
    );
    const options = { bytesMax: MIB, windowBytesMax: 8 * MIB };
    await expect(collect(open("xz", split(large), options))).rejects.toEqual(
      error("limit-exceeded", /dictionary/),
    );
    expect((await unpack("xz", large)).equals(GREETING)).toBe(true);

    const frame = zstdOfRepeatedBytes(1, 28);
    await expect(unpack("zstd", frame)).rejects.toEqual(error("limit-exceeded", /window/));
  });

  // libzstd moves no windows.
  it.runIf(portable)("refuses zstd whose blocks are made to keep the decoder busy", async () => {
    const frame = zstdOfRepeatedBytes(100_000, 27, 1);
    await expect(unpack("zstd", frame)).rejects.toEqual(error("limit-exceeded", /too small/));
  });

  it("passes over skippable frames of zstd", async () => {
    const skippable = Buffer.from("5a2a4d1803000000aabbcc", "hex");
    const whole = Buffer.concat([skippable, ZSTD_GREETING, skippable]);
    for (const length of [1, 1000]) {
      expect((await unpack("zstd", whole, length)).equals(GREETING)).toBe(true);
    }
  });

  it.each(names)("lets go of its source when the consumer of %s stops", async (name) => {
    const bytes = await sample(name);
    let isClosed = false;
    async function* source(): AsyncGenerator<Uint8Array> {
      try {
        for (;;) yield* split(bytes, 100);
      } finally {
        isClosed = true;
      }
    }
    for await (const _ of open(name, source(), { bytesMax: 1024 * MIB })) break;
    expect(isClosed).toBe(true);
  });

  it.each(names)("passes on what the source of %s throws", async (name) => {
    const bytes = await sample(name);
    async function* source(): AsyncGenerator<Uint8Array> {
      yield bytes.subarray(0, 1000);
      throw new Error("the line went dead");
    }
    await expect(collect(open(name, source(), { bytesMax: MIB }))).rejects.toThrow(
      "the line went dead",
    );
  });

  it.each(names)("runs no more than a piece ahead of the consumer of %s", async (name) => {
    const bytes = await sample(name);
    let pulled = 0;
    async function* source(): AsyncGenerator<Uint8Array> {
      for (;;) {
        for await (const piece of split(bytes, 4096)) {
          pulled += piece.length;
          yield piece;
        }
        if (name === "br") return;
      }
    }
    const stream = open(name, source(), { bytesMax: 1024 * MIB });
    await stream.next();
    await sleep(100);
    const pulledAhead = pulled;
    await sleep(100);
    expect(pulled).toBe(pulledAhead);
    expect(pulled).toBeLessThan(3 * MIB);
    await stream.return(undefined);
  });

  it.skipIf(nixObstacle !== undefined)(
    "reads what the real Nix writes, in every compression it has",
    async () => {
      const nix = new RealNix();
      const file = join(temporaryFolder(), "content");
      writeFileSync(file, CONTENT);
      const storePath = await nix.add(file);
      for (const compression of names) {
        const cache = new BinaryCache();
        await nix.output("nix", "copy", "--to", cache.url(`compression=${compression}`), storePath);
        const [name = ""] = readdirSync(join(cache.folder, "nar"));
        const nar = await unpack(compression, readFileSync(join(cache.folder, "nar", name)));
        expect(nar.includes(CONTENT)).toBe(true);
      }
    },
  );
});

describe("compress()", () => {
  it.each(["xz", "gzip", "br"] as const)("writes %s that the real tool reads", async (name) => {
    const bytes = await collect(compress(name, split(CONTENT, 1000)));
    expect(bytes.length).toBeLessThan(CONTENT.length * 0.6);
    expect(UNTOOLS[name]?.(bytes).equals(CONTENT)).toBe(true);
  });

  it.each(WRITABLE_COMPRESSIONS)("writes %s of anything that reads back the same", async (name) => {
    for (const length of [0, 1, 131_071, 131_072, 131_073, 1_000_000]) {
      for (const content of [noise(length), Buffer.alloc(length)]) {
        const bytes = await collect(compress(name, split(content, 50_000)));
        expect((await unpack(name, bytes)).equals(content)).toBe(true);
      }
    }
  });

  it.each(WRITABLE_COMPRESSIONS)("writes several streams of %s at once", async (name) => {
    const contents = Array.from({ length: 8 }, (_, index) => noise(300_000, index + 1));
    const written = await Promise.all(
      contents.map((content) => collect(compress(name, split(content)))),
    );
    for (const [index, bytes] of written.entries()) {
      expect((await unpack(name, bytes)).equals(contents[index] as Buffer)).toBe(true);
    }
  });

  it.each(WRITABLE_COMPRESSIONS)(
    "lets go of its source when the consumer of %s stops",
    async (name) => {
      let isClosed = false;
      async function* source(): AsyncGenerator<Uint8Array> {
        try {
          for (;;) yield noise(100_000);
        } finally {
          isClosed = true;
        }
      }
      for await (const _ of compress(name, source())) break;
      expect(isClosed).toBe(true);
      expect((await collect(compress(name, split(GREETING)))).length).toBeGreaterThan(0);
    },
  );

  it.each(WRITABLE_COMPRESSIONS)("passes on what the source of %s throws", async (name) => {
    async function* source(): AsyncGenerator<Uint8Array> {
      yield GREETING;
      throw new Error("the line went dead");
    }
    await expect(collect(compress(name, source()))).rejects.toThrow("the line went dead");
  });
});

it("isCompression() knows the names of Nix", () => {
  expect(COMPRESSIONS.every(isCompression)).toBe(true);
  expect(["", "lzma", "brotli", "XZ", "toString"].some(isCompression)).toBe(false);
});

/** A frame of `count` blocks, each of which is one byte repeated. */
function zstdOfRepeatedBytes(count: number, windowLog = 20, length = 128 * 1024): Buffer {
  const block = (isLast: boolean, size: number) => {
    const bytes = Buffer.alloc(4, "A");
    bytes.writeUIntLE((size << 3) | (1 << 1) | (isLast ? 1 : 0), 0, 3);
    return bytes;
  };
  return Buffer.concat([
    Buffer.from([0x28, 0xb5, 0x2f, 0xfd, 0x00, (windowLog - 10) << 3]),
    ...Array.from({ length: count }, (_, index) => block(index === count - 1, length)),
  ]);
}
