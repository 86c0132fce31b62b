import { describe, expect, it } from "vitest";
import { StoreError } from "../../src/base/errors.js";
import type { BlobService } from "../../src/castore/blob/service.js";
import { putBlob } from "../../src/castore/blob/service.js";
import { B3Digest } from "../../src/castore/digest.js";
import { FAMILIES, serviceDefinitions } from "../../src/grpc/definitions.js";
import { bytes, noise } from "../support/bytes.js";
import { EMPTY_DIGEST } from "../support/empty-digest.js";
import { callsOf, contentIn, digestIn, only } from "./support/messages.js";
import { memoryServices, recordingLog, serve } from "./support/serve.js";

const ABSENT = B3Digest.of(bytes("never stored"));
const MIB = 1024 * 1024;

describe.each(FAMILIES)("%s BlobService", async (family) => {
  const { client, services } = await serve();
  const calls = callsOf(family, client);

  it.each([0, 31, 33])("refuses a digest of %d bytes", async (length) => {
    const digest = new Uint8Array(length);
    for (const answer of [await calls.stat(digest), await calls.read(digest)]) {
      expect(answer).toMatchObject({ status: "INVALID_ARGUMENT", messages: [] });
      expect(answer.details).toContain("nvalid digest length");
    }
  });

  it("does not find what was never stored", async () => {
    for (const answer of [await calls.stat(ABSENT.bytes), await calls.read(ABSENT.bytes)]) {
      expect(answer).toMatchObject({ status: "NOT_FOUND", messages: [] });
      expect(answer.details).toContain(ABSENT.toString());
    }
  });

  it.each([
    ["nothing", [], 0],
    ["no bytes", [0], 0],
    ["one byte", [1], 1],
    ["two messages", [1000, 70_000], 71_000],
    ["empty messages in between", [0, 5, 0, 0, 6, 0], 11],
    ["a message over 4 MiB", [5 * MIB], 5 * MIB],
  ])("stores and reads %s", async (_title, sizes, total) => {
    const content = noise(total);
    let at = 0;
    const parts = sizes.map((size) => {
      at += size;
      return content.subarray(at - size, at);
    });
    const stored = await calls.putBlob(parts);
    expect(stored.status).toBe("OK");
    const digest = B3Digest.of(content);
    expect(digestIn(stored)).toEqual(Buffer.from(digest.bytes));
    expect(await calls.stat(digest.bytes)).toMatchObject({
      status: "OK",
      messages: [Buffer.alloc(0)],
    });
    const read = await calls.read(digest.bytes);
    expect(read.status).toBe("OK");
    expect(contentIn(read).equals(content)).toBe(true);
    expect(await services.blobs.has(digest)).toBe(true);
  });

  it("reads the empty blob as an empty stream", async () => {
    await calls.putBlob([]);
    expect(await calls.read(EMPTY_DIGEST.bytes)).toMatchObject({ status: "OK", messages: [] });
  });

  it("sends two bytes in one message and large blobs in messages of 64 KiB to 1 MiB", async () => {
    const small = await putBlob(services.blobs, bytes("ab"));
    expect((await calls.read(small.digest.bytes)).messages).toHaveLength(1);
    const large = await putBlob(services.blobs, noise(3 * MIB + 1));
    const sizes = (await calls.read(large.digest.bytes)).messages.map(({ length }) => length);
    for (const size of sizes.slice(0, -1)) {
      expect(size).toBeGreaterThanOrEqual(64 * 1024);
      expect(size).toBeLessThanOrEqual(MIB + 5);
    }
  });

  it("takes the same blob again", async () => {
    const first = await calls.putBlob([bytes("again")]);
    expect(await calls.putBlob([bytes("aga"), bytes("in")])).toEqual(first);
  });
});

describe("BlobService over a backend", () => {
  const failing = (code: "unavailable" | "corrupt" | "unsupported" | "internal"): BlobService => {
    const fail = async (): Promise<never> => {
      throw new StoreError(code, "said the backend");
    };
    return { has: fail, openRead: fail, openWrite: fail, chunks: fail };
  };

  it.each([
    ["unavailable", "UNAVAILABLE", "said the backend"],
    ["corrupt", "DATA_LOSS", "said the backend"],
    ["unsupported", "UNIMPLEMENTED", "said the backend"],
    ["internal", "INTERNAL", "Internal error"],
  ] as const)("that fails with %s answers %s", async (code, status, details) => {
    const services = { ...memoryServices(), blobs: failing(code) };
    const calls = callsOf("tvix", (await serve({ services })).client);
    expect(await calls.stat(ABSENT.bytes)).toMatchObject({ status, details });
    expect(await calls.read(ABSENT.bytes)).toMatchObject({ status, details });
    expect(await calls.putBlob([bytes("x")])).toMatchObject({ status, details });
  });

  it("logs what a bug said, and does not tell the client", async () => {
    const services = { ...memoryServices(), blobs: failing("internal") };
    const log = recordingLog();
    const calls = callsOf("tvix", (await serve({ services, log })).client);
    await calls.stat(ABSENT.bytes);
    expect(log.lines).toMatchObject([{ level: "error", fields: { error: "said the backend" } }]);
  });

  it("that fails midway ends the stream with the status, after what was read", async () => {
    const services = memoryServices();
    const blobs: BlobService = {
      ...services.blobs,
      openRead: async () => ({
        size: 2 * MIB,
        read: async () => new Uint8Array(0),
        async *stream() {
          yield noise(MIB);
          throw new StoreError("corrupt", "Blob is damaged");
        },
        [Symbol.asyncDispose]: async () => {},
      }),
    };
    const calls = callsOf("snix", (await serve({ services: { ...services, blobs } })).client);
    const answer = await calls.read(ABSENT.bytes);
    expect(answer).toMatchObject({ status: "DATA_LOSS", details: "Blob is damaged" });
    expect(contentIn(answer)).toHaveLength(MIB);
  });

  it("that knows chunks tells them, asked or not, with sizes of 64 bits", async () => {
    const services = memoryServices();
    const chunks = [
      { digest: B3Digest.of(bytes("a")), size: 1 },
      { digest: B3Digest.of(bytes("b")), size: 2 ** 53 - 1 },
    ];
    const blobs: BlobService = { ...services.blobs, chunks: async () => chunks };
    const { client } = await serve({ services: { ...services, blobs } });
    const { Stat } = serviceDefinitions("tvix").blobs;
    for (const send_chunks of [true, false]) {
      const request = Stat.requestSerialize({ digest: ABSENT.bytes, send_chunks, send_bao: true });
      const { status, messages } = await client.call(Stat.path, request);
      expect(status).toBe("OK");
      expect(Stat.responseDeserialize(only(messages))).toEqual({
        chunks: chunks.map(({ digest, size }) => ({
          digest: Buffer.from(digest.bytes),
          size: String(size),
        })),
        bao: Buffer.alloc(0),
      });
    }
  });
});
