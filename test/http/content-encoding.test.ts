import { brotliDecompressSync, gunzipSync } from "node:zlib";
import { describe, expect, test } from "vitest";
import { chooseEncoding, encode } from "../../src/http/content-encoding.js";
import { collect, noise } from "../support/bytes.js";

describe("chooseEncoding()", () => {
  test.each([
    ["gzip", "gzip"],
    ["br, gzip", "br"],
    ["gzip;q=1.0, br;q=0.5", "gzip"],
    ["BR", "br"],
    ["*", "br"],
    ["br;q=0, *", "gzip"],
    ["zstd, gzip", "gzip"],
  ])("takes from %j %s", (header, encoding) => {
    expect(chooseEncoding(header)).toBe(encoding);
  });

  test.each([
    undefined,
    "",
    "identity",
    "gzip;q=0",
    "deflate",
    "gzip;q=abc",
    ",,;,",
    "x".repeat(9000),
  ])("takes nothing from %j", (header) => {
    expect(chooseEncoding(header)).toBeUndefined();
  });
});

describe("encode()", () => {
  async function* pieces(content: Buffer): AsyncGenerator<Uint8Array> {
    for (let at = 0; at < content.length; at += 10_000) yield content.subarray(at, at + 10_000);
  }

  test.each([
    ["gzip", gunzipSync],
    ["br", brotliDecompressSync],
  ] as const)("gives what %s unpacks", async (encoding, unpack) => {
    const content = noise(300_000);
    expect(unpack(await collect(encode(pieces(content), encoding))).equals(content)).toBe(true);
  });

  test("passes on what its source throws", async () => {
    async function* failing(): AsyncGenerator<Uint8Array> {
      yield Buffer.from("some");
      throw new Error("an outage");
    }
    await expect(collect(encode(failing(), "gzip"))).rejects.toThrow("an outage");
  });

  test("lets go of its source when nobody reads on", async () => {
    let isClosed = false;
    async function* endless(): AsyncGenerator<Uint8Array> {
      try {
        for (;;) yield noise(100_000);
      } finally {
        isClosed = true;
      }
    }
    for await (const _ of encode(endless(), "br")) break;
    expect(isClosed).toBe(true);
  });
});
