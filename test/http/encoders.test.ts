import { describe, expect, test } from "vitest";
import { decompress } from "../../src/base/compression/decompress.js";
import { Encoders } from "../../src/http/encoders.js";
import { collect, noise } from "../support/bytes.js";

const CONTENT = noise(300_000);

async function* endless(onClosed: () => void): AsyncGenerator<Uint8Array> {
  try {
    for (;;) yield noise(300_000);
  } finally {
    onClosed();
  }
}

describe("Encoders", () => {
  test.each(["zstd", "br", "gzip", "xz"] as const)("give what unpacks, as %s", async (name) => {
    const packed = new Encoders().encode(pieces(CONTENT), name);
    const unpacked = await collect(decompress(name, packed, { bytesMax: CONTENT.length }));
    expect(unpacked.equals(CONTENT)).toBe(true);
  });

  test("are four at a time, and one for zstd", async () => {
    const encoders = new Encoders();
    const free = () => [encoders.isFree("zstd"), encoders.isFree("gzip")];
    let closed = 0;
    const streams = (["zstd", "gzip", "br", "gzip"] as const).map((name) =>
      encoders.encode(
        endless(() => {
          closed++;
        }),
        name,
      ),
    );
    expect(free()).toEqual([true, true]);
    await streams[0]?.next();
    expect(free()).toEqual([false, true]);
    for (const stream of streams.slice(1)) await stream.next();
    expect(free()).toEqual([false, false]);
    for (const stream of streams) await stream.return(undefined);
    expect(free()).toEqual([true, true]);
    expect(closed).toBe(4);
  });
});

async function* pieces(content: Buffer): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < content.length; at += 10_000) yield content.subarray(at, at + 10_000);
}
