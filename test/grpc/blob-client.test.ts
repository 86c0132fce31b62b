import { join } from "node:path";
import { setImmediate, setTimeout as sleep } from "node:timers/promises";
import { afterEach, describe, expect, it } from "vitest";
import { StoreError } from "../../src/base/errors.js";
import { BytesReader, MemoryBlobService } from "../../src/castore/blob/memory.js";
import {
  type BlobReader,
  type BlobService,
  type ChunkMeta,
  getBlob,
  putBlob,
} from "../../src/castore/blob/service.js";
import { B3Digest } from "../../src/castore/digest.js";
import { GrpcBlobService } from "../../src/grpc/blob-client.js";
import { Channel, type ChannelOptions } from "../../src/grpc/channel.js";
import { ATTEMPTS_MAX } from "../../src/grpc/retry.js";
import { bytes, collect, noise } from "../support/bytes.js";
import { temporaryFolder } from "../support/temp.js";
import {
  failFrom,
  Gate,
  type Hook,
  StepCounts,
  WatchedBlobService,
} from "../support/watched-services.js";
import { CountingProxy } from "./support/counting-proxy.js";
import { type Pair, pairWith } from "./support/pair.js";
import { memoryServices } from "./support/serve.js";

const small = bytes("small");
const large = noise(10_000_000);
const digests = { small: B3Digest.of(small), large: B3Digest.of(large) };

let pair: Pair | undefined;

afterEach(async () => {
  await pair?.close();
  pair = undefined;
});

async function connect(
  blobs: BlobService,
  options: Partial<ChannelOptions> = {},
): Promise<GrpcBlobService> {
  pair = await pairWith({ ...memoryServices(), blobs }, "127.0.0.1:0", options);
  return new GrpcBlobService(pair.channel);
}

/** A service with both blobs, watched. */
async function filled(hook?: Hook): Promise<WatchedBlobService> {
  const blobs = new MemoryBlobService();
  await putBlob(blobs, small);
  await putBlob(blobs, large);
  return new WatchedBlobService(blobs, hook);
}

async function open(service: BlobService, digest: B3Digest): Promise<BlobReader> {
  const reader = await service.openRead(digest);
  if (reader === undefined) throw new Error("absent");
  return reader;
}

/** Fails a kind of step so many times, then no more. */
function failTimes(step: Parameters<Hook>[0], times: number): Hook {
  let count = 0;
  return (each) => {
    if (each === step && ++count <= times) throw new StoreError("unavailable", "not now");
  };
}

describe("GrpcBlobService", () => {
  it("says which server failed, and with what", async () => {
    using channel = new Channel({
      address: "grpc+unix:///no",
      target: "unix:/no/such",
      tls: false,
    });
    const blobs = new GrpcBlobService(channel);
    await expect(blobs.has(digests.small)).rejects.toMatchObject({
      code: "unavailable",
      message: "BlobService.Stat at grpc+unix:///no failed: connect ENOENT /no/such",
    });
    await expect(blobs.openRead(digests.small)).rejects.toMatchObject({ code: "unavailable" });
    await expect(putBlob(blobs, small)).rejects.toMatchObject({ code: "unavailable" });
  });

  it("asks once for a small blob", async () => {
    const counts = new StepCounts();
    const blobs = await connect(await filled(counts.hook));
    expect(await getBlob(blobs, digests.small)).toEqual(small);
    expect([counts.of("openRead"), counts.of("chunks"), counts.of("has")]).toEqual([1, 0, 0]);
  });

  it("repeats questions that the server could not answer for the moment", async () => {
    const blobs = await connect(await filled(failTimes("openRead", 2)));
    expect(await getBlob(blobs, digests.small)).toEqual(small);
  });

  it("gives up after a while", async () => {
    const counts = new StepCounts();
    const failing = failFrom("chunks");
    const blobs = await connect(
      await filled((step) => {
        counts.hook(step);
        return failing(step);
      }),
    );
    await expect(blobs.has(digests.small)).rejects.toMatchObject({ code: "unavailable" });
    expect(counts.of("chunks")).toBe(ATTEMPTS_MAX);
  });

  it.each(["internal", "corrupt", "permission-denied", "limit-exceeded"] as const)(
    "does not repeat a question that was answered with %s",
    async (code) => {
      const counts = new StepCounts();
      const failing = failFrom("chunks", 1, new StoreError(code, "for good"));
      const blobs = await connect(
        await filled((step) => {
          counts.hook(step);
          return failing(step);
        }),
      );
      await expect(blobs.has(digests.small)).rejects.toMatchObject({ code });
      expect(counts.of("chunks")).toBe(1);
    },
  );

  it("repeats the upload of a small blob, not of a large one", async () => {
    const counts = new StepCounts();
    const failing = failTimes("close", 2);
    const server = await filled(async (step) => {
      await counts.hook(step);
      await failing(step);
    });
    const blobs = await connect(server);
    const content = bytes("new");
    expect((await putBlob(blobs, content)).digest.equals(B3Digest.of(content))).toBe(true);
    expect(counts.of("close")).toBe(3);
    const failingLarge = await connectAgain(failFrom("close"));
    await expect(putBlob(failingLarge.blobs, noise(3_000_000))).rejects.toMatchObject({
      code: "unavailable",
    });
    expect(failingLarge.counts.of("close")).toBe(1);
  });
});

async function connectAgain(hook: Hook) {
  await pair?.close();
  const counts = new StepCounts();
  const server = await filled(async (step) => {
    await counts.hook(step);
    await hook(step);
  });
  return { counts, blobs: await connect(server) };
}

/** Sends three megabytes more each time, and is then gone for a moment. */
class CutBlobs extends MemoryBlobService {
  opened = 0;
  readonly #content: Uint8Array;
  readonly #hook: (opened: number) => void;
  constructor(content: Uint8Array, hook: (opened: number) => void = () => {}) {
    super();
    this.#content = content;
    this.#hook = hook;
  }
  override async chunks(_digest: B3Digest): Promise<ChunkMeta[]> {
    return [];
  }
  override async openRead(): Promise<BlobReader> {
    const times = ++this.opened;
    this.#hook(times);
    const reader = new BytesReader(this.#content);
    const content = times === 1 ? large : this.#content;
    reader.stream = async function* () {
      for (let at = 0; at < content.length; at += 1_000_000) {
        if (at >= times * 3_000_000) throw new StoreError("unavailable", "gone");
        yield content.subarray(at, at + 1_000_000);
      }
    };
    return reader;
  }
}

describe("A stream that is cut", () => {
  async function readAll(blobs: BlobService): Promise<Buffer> {
    await using reader = await open(blobs, digests.large);
    return await collect(reader.stream());
  }

  it("goes on where it was, each time", async () => {
    const server = new CutBlobs(large);
    expect(large.equals(await readAll(await connect(server)))).toBe(true);
    expect(server.opened).toBe(4);
  });

  it("goes on with the chunks that are left", async () => {
    const store = new MemoryBlobService();
    const chunks: ChunkMeta[] = [];
    for (let at = 0; at < large.length; at += 500_000) {
      chunks.push(await putBlob(store, large.subarray(at, at + 500_000)));
    }
    const server = new WatchedBlobService(store);
    const cut = new CutBlobs(large);
    const openRead = cut.openRead.bind(cut);
    cut.openRead = (digest?: B3Digest) =>
      digest?.equals(digests.large) ? openRead() : (server.openRead(digest as B3Digest) as never);
    cut.chunks = async (digest) => (digest.equals(digests.large) ? chunks : []);
    expect(large.equals(await readAll(await connect(cut)))).toBe(true);
    expect(cut.opened).toBe(1);
    expect(server.bytes).toBe(large.length - 3_000_000);
  });

  it("never goes on with other bytes", async () => {
    const evil = Buffer.from(large);
    evil[9_000_000] = (evil[9_000_000] as number) ^ 1;
    await expect(readAll(await connect(new CutBlobs(evil)))).rejects.toMatchObject({
      code: "corrupt",
    });
  });

  it("ends when the server does not come back", async () => {
    const server = new CutBlobs(large, (opened) => {
      if (opened > 1) throw new StoreError("unavailable", "not now");
    });
    const blobs = await connect(server);
    await using reader = await open(blobs, digests.large);
    let received = 0;
    const reading = (async () => {
      for await (const piece of reader.stream()) received += piece.length;
    })();
    await expect(reading).rejects.toMatchObject({ code: "unavailable" });
    // The last piece is held back until it is known whether the digest is right.
    expect(received).toBe(2_000_000);
    expect(server.opened).toBe(1 + ATTEMPTS_MAX);
  });

  it("ends when the server has lost the blob meanwhile", async () => {
    const server = new CutBlobs(large);
    server.chunks = async () => undefined as never;
    await expect(readAll(await connect(server))).rejects.toMatchObject({
      code: "dangling-reference",
    });
  });
});

describe("A server that lies", () => {
  /** Has the content of one blob under the digest of every other. */
  class Liar extends MemoryBlobService {
    readonly #content: Uint8Array;
    constructor(content: Uint8Array) {
      super();
      this.#content = content;
    }
    override async openRead(): Promise<BlobReader> {
      return new BytesReader(this.#content);
    }
  }

  it("about a small blob is found out when it is opened", async () => {
    const blobs = await connect(new Liar(small));
    await expect(blobs.openRead(B3Digest.of(bytes("other")))).rejects.toMatchObject({
      code: "corrupt",
    });
  });

  it("about a large blob is found out before the last piece", async () => {
    const evil = Buffer.from(large);
    evil[5] = (evil[5] as number) ^ 1;
    const blobs = await connect(new Liar(evil));
    await using reader = await open(blobs, digests.large);
    let received = 0;
    const reading = (async () => {
      for await (const piece of reader.stream()) received += piece.length;
    })();
    await expect(reading).rejects.toMatchObject({ code: "corrupt" });
    expect(received).toBeLessThan(large.length);
  });

  it("about what it stored is found out", async () => {
    const liar = new MemoryBlobService();
    const { openWrite } = liar;
    liar.openWrite = async () => {
      const writer = await openWrite.call(liar);
      writer.close = async () => ({ digest: digests.large, size: 0 });
      return writer;
    };
    const blobs = await connect(liar);
    await expect(putBlob(blobs, small)).rejects.toMatchObject({
      code: "corrupt",
      message: expect.stringContaining(digests.large.hex),
    });
  });
});

describe("Giving up", () => {
  it.each<[string, (blobs: GrpcBlobService, signal: AbortSignal) => Promise<unknown>]>([
    ["a question", (blobs, signal) => blobs.has(digests.small, { signal })],
    ["opening a blob", (blobs, signal) => blobs.openRead(digests.small, { signal })],
    [
      "an upload",
      async (blobs, signal) => {
        await using writer = await blobs.openWrite({ signal });
        await writer.write(small);
        await writer.close();
      },
    ],
  ])("ends %s", async (_title, call) => {
    const gate = new Gate("openRead", "chunks", "openWrite");
    const blobs = await connect(await filled(gate.hook));
    const stop = new AbortController();
    const calling = call(blobs, stop.signal);
    while (gate.arrived === 0) await setImmediate();
    stop.abort();
    await expect(calling).rejects.toMatchObject({ code: "aborted" });
    gate.open();
  });

  it("ends a stream, at the server too", async () => {
    const server = await filled();
    const blobs = await connect(new EndlessBlobs());
    const stop = new AbortController();
    const reader = await blobs.openRead(digests.large, { signal: stop.signal });
    const stream = reader?.stream()[Symbol.asyncIterator]() as AsyncIterator<Uint8Array>;
    await stream.next();
    stop.abort();
    await expect(drain(stream)).rejects.toMatchObject({ code: "aborted" });
    while (EndlessBlobs.running > 0) await setImmediate();
    expect(server.bytes).toBe(0);
  });

  it("on a stream early ends it at the server", async () => {
    const blobs = await connect(new EndlessBlobs());
    {
      await using reader = await open(blobs, digests.large);
      for await (const _piece of reader.stream()) break;
    }
    while (EndlessBlobs.running > 0) await setImmediate();
  });

  it("on an upload leaves nothing at the server", async () => {
    const server = new MemoryBlobService();
    const blobs = await connect(server);
    {
      await using writer = await blobs.openWrite();
      await writer.write(large);
    }
    await sleep(50);
    expect(await server.has(digests.large)).toBe(false);
  });
});

async function drain(stream: AsyncIterator<Uint8Array>): Promise<void> {
  while (!(await stream.next()).done);
}

/** A blob without an end; counts how many are being sent. */
class EndlessBlobs extends MemoryBlobService {
  static running = 0;
  static sentBytes = 0;
  override async openRead(): Promise<BlobReader> {
    const reader = new BytesReader(large);
    reader.stream = async function* () {
      EndlessBlobs.running++;
      EndlessBlobs.sentBytes = 0;
      try {
        for (;;) {
          EndlessBlobs.sentBytes += 1_000_000;
          yield large.subarray(0, 1_000_000);
        }
      } finally {
        EndlessBlobs.running--;
      }
    };
    return reader;
  }
}

describe("A server that stands still", () => {
  it.each<[string, (blobs: GrpcBlobService) => Promise<unknown>]>([
    ["a question", (blobs) => blobs.has(digests.small)],
    ["a stream", (blobs) => blobs.openRead(digests.small)],
    ["an upload", (blobs) => putBlob(blobs, small)],
    ["a large upload", (blobs) => putBlob(blobs, noise(20_000_000))],
  ])("is given up on after a while: %s", async (_title, call) => {
    const gate = new Gate("openRead", "chunks", "openWrite");
    const blobs = await connect(await filled(gate.hook), { deadlineMs: 200, stallMs: 200 });
    await expect(call(blobs)).rejects.toMatchObject({ code: "unavailable" });
    gate.open();
  });

  it("is not given up on because we are slow", async () => {
    const blobs = await connect(await filled(), { stallMs: 1000 });
    await using reader = await open(blobs, digests.large);
    const pieces: Uint8Array[] = [];
    for await (const piece of reader.stream()) {
      if (pieces.push(piece) === 2) await sleep(1500);
    }
    expect(large.equals(Buffer.concat(pieces))).toBe(true);
  });
});

describe("A server that has nothing to do", () => {
  it("is not given up on because we have nothing to send", async () => {
    const blobs = await connect(new MemoryBlobService(), { stallMs: 300 });
    await using writer = await blobs.openWrite();
    await writer.write(noise(3_000_000));
    await sleep(900);
    await writer.write(small);
    const { digest } = await writer.close();
    expect(digest).toEqual(B3Digest.of(Buffer.concat([noise(3_000_000), small])));
  });
});

describe("Backpressure", () => {
  it("keeps a server from sending what nobody reads", async () => {
    const blobs = await connect(new EndlessBlobs());
    await using reader = await open(blobs, digests.large);
    for await (const _piece of reader.stream()) {
      await sleep(300);
      break;
    }
    expect(EndlessBlobs.sentBytes).toBeLessThan(40_000_000);
  });

  it("keeps a writer from running ahead of a slow server", async () => {
    const gate = new Gate("write");
    const blobs = await connect(await filled(gate.hook));
    const piece = noise(1_000_000, 9);
    await using writer = await blobs.openWrite();
    let written = 0;
    const writing = (async () => {
      for (; written < 100; written++) await writer.write(piece);
    })();
    await sleep(300);
    expect(written).toBeLessThan(20);
    gate.open();
    await writing;
    expect((await writer.close()).size).toBe(100_000_000);
  });
});

describe("Memory that is written from", () => {
  it("may be used again as soon as a write is over, the first one too", async () => {
    const server = new MemoryBlobService();
    const blobs = await connect(server);
    await using writer = await blobs.openWrite();
    const memory = Buffer.alloc(1024 * 1024);
    for (let at = 0; at < large.length; at += memory.length) {
      const piece = memory.subarray(0, large.copy(memory, 0, at));
      await writer.write(piece);
      memory.fill(0xff);
    }
    expect((await writer.close()).digest.equals(digests.large)).toBe(true);
    expect(await server.has(digests.large)).toBe(true);
  });
});

describe("A server that knows chunks", () => {
  it("is asked for those that a part lies in, and each is checked", async () => {
    const blobs = new MemoryBlobService();
    const chunks: ChunkMeta[] = [];
    for (let at = 0; at < large.length; at += 500_000) {
      chunks.push(await putBlob(blobs, large.subarray(at, at + 500_000)));
    }
    await putBlob(blobs, large);
    const inner = blobs.chunks.bind(blobs);
    blobs.chunks = async (digest) => (digest.equals(digests.large) ? chunks : await inner(digest));
    const server = new WatchedBlobService(blobs);
    const client = await connect(server);
    expect(await client.chunks(digests.large)).toHaveLength(20);
    await using reader = await open(client, digests.large);
    const before = server.bytes;
    const part = await reader.read(9_250_000, 500_000);
    expect(large.subarray(9_250_000, 9_750_000).equals(part)).toBe(true);
    expect(server.bytes - before).toBe(1_000_000);
    expect(large.equals(await collect(reader.stream()))).toBe(true);
  });
});

it("One channel is one connection, however many calls it carries", async () => {
  const services = { ...memoryServices(), blobs: await filled() };
  const serving = await pairWith(services, `unix:${join(temporaryFolder(), "socket")}`);
  pair = serving;
  const proxy = await CountingProxy.start(serving.target.slice("unix:".length));
  const target = proxy.address.replace("grpc+unix://", "unix:");
  using channel = new Channel({ address: proxy.address, target, tls: false });
  const blobs = new GrpcBlobService(channel);
  await Promise.all(Array.from({ length: 300 }, () => getBlob(blobs, digests.small)));
  expect(proxy.connections).toBe(1);
  proxy.close();
});
