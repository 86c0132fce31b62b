/**
 * Clients that send too much, too little, never stop, or go away; and what the server holds meanwhile.
 */

import { once } from "node:events";
import { readdirSync } from "node:fs";
import {
  type ClientHttp2Session,
  type ClientHttp2Stream,
  connect as connectHttp2,
  constants,
} from "node:http2";
import { connect as connectSocket, createServer, type Socket } from "node:net";
import { describe, expect, it, vi } from "vitest";
import { type BlobService, type CallOptions, putBlob } from "../../src/castore/blob/service.js";
import { B3Digest } from "../../src/castore/digest.js";
import type { Directory } from "../../src/castore/directory.js";
import { directoryFrom } from "../../src/castore/directory-codec.js";
import { serviceDefinitions } from "../../src/grpc/definitions.js";
import { MESSAGE_BYTES_MAX } from "../../src/grpc/server.js";
import { bytes, noise } from "../support/bytes.js";
import { Gate, WatchedBlobService } from "../support/watched-services.js";
import { DIRECTORY } from "../vectors/directories.js";
import { encodeBlobChunk } from "./support/blob-chunk.js";
import { callsOf, contentIn, digestIn } from "./support/messages.js";
import { RawClient } from "./support/raw-client.js";
import { framed, startCall } from "./support/raw-frames.js";
import { localServices, memoryServices, serve } from "./support/serve.js";

/** Long enough for a machine that has much else to do. */
const PATIENCE = { timeout: 30_000 };

const MIB = 1024 * 1024;
const { blobs: BLOBS, directories: DIRECTORIES } = serviceDefinitions("tvix");

/** Waits until `sample` gives the same several times in a row: nothing moves any more. */
async function settled(sample: () => number): Promise<number> {
  let last = -1;
  for (let same = 0; same < 5; ) {
    await new Promise((resolve) => setTimeout(resolve, 50));
    const now = sample();
    same = now === last ? same + 1 : 0;
    last = now;
  }
  return last;
}

/** Resolves when `piece` is under way, or the call has been answered. */
async function written(call: ClientHttp2Stream, piece: Buffer): Promise<void> {
  const answered = new AbortController();
  const sent = new Promise((resolve) => call.write(piece, resolve));
  await Promise.race([sent, once(call, "response", { signal: answered.signal })]);
  answered.abort();
}

/** A blob service with one endless blob that counts what is asked of it. */
class EndlessBlobs implements BlobService {
  givenBytes = 0;
  open = 0;
  signal: AbortSignal | undefined;

  async has(): Promise<boolean> {
    return true;
  }

  async openRead(_digest: B3Digest, options?: CallOptions) {
    const self = this;
    this.open++;
    this.signal = options?.signal;
    return {
      size: 2 ** 40,
      read: async () => new Uint8Array(0),
      async *stream() {
        for (;;) {
          self.givenBytes += MIB;
          yield Buffer.alloc(MIB);
        }
      },
      [Symbol.asyncDispose]: async () => {
        self.open--;
      },
    };
  }

  async openWrite(): Promise<never> {
    throw new TypeError("not here");
  }

  async chunks() {
    return [];
  }
}

/** Calls Read and does not take what comes. grpc-js would take it, whether or not anyone reads it. */
function startRead(target: string): ClientHttp2Session {
  const session = connectHttp2(`http://${target}`);
  session.on("error", () => {});
  const stream = session.request({
    ":method": "POST",
    ":path": BLOBS.Read.path,
    "content-type": "application/grpc",
    te: "trailers",
  });
  stream.on("error", () => {});
  const message = BLOBS.Read.requestSerialize({ digest: new Uint8Array(32) });
  const header = Buffer.alloc(5);
  header.writeUInt32BE(message.length, 1);
  stream.end(Buffer.concat([header, message]));
  return session;
}

describe("a client that does not read", () => {
  it("is sent no more than a few megabytes, and its blob is closed when it goes", async () => {
    const blobs = new EndlessBlobs();
    const { target } = await serve({ services: { ...memoryServices(), blobs } });
    const session = startRead(target);
    await vi.waitUntil(() => blobs.givenBytes > 0, PATIENCE);
    expect(await settled(() => blobs.givenBytes)).toBeLessThanOrEqual(3 * MIB);
    expect(blobs.open).toBe(1);
    session.destroy();
    await vi.waitUntil(() => blobs.open === 0, PATIENCE);
    expect(blobs.signal?.aborted).toBe(true);
  });

  it("is given up when its deadline passes", async () => {
    const blobs = new EndlessBlobs();
    const { client } = await serve({ services: { ...memoryServices(), blobs } });
    const request = BLOBS.Read.requestSerialize({ digest: new Uint8Array(32) });
    expect((await client.call(BLOBS.Read.path, request, 500)).status).toBe("DEADLINE_EXCEEDED");
    await vi.waitUntil(() => blobs.open === 0, PATIENCE);
  });

  it("does not keep others waiting", async () => {
    const blobs = new EndlessBlobs();
    const { client, target } = await serve({ services: { ...memoryServices(), blobs } });
    const sessions = Array.from({ length: 20 }, () => startRead(target));
    await vi.waitUntil(() => blobs.open === 20, PATIENCE);
    expect((await callsOf("tvix", client).stat(new Uint8Array(32))).status).toBe("OK");
    for (const session of sessions) session.destroy();
    await vi.waitUntil(() => blobs.open === 0, PATIENCE);
  });
});

describe("an upload", () => {
  it("is taken no faster than the store takes it", async () => {
    const services = memoryServices();
    let release: () => void = () => {};
    const released = new Promise<void>((resolve) => {
      release = resolve;
    });
    let writtenBytes = 0;
    const blobs: BlobService = Object.assign(Object.create(services.blobs), {
      openWrite: async () => ({
        write: async (data: Uint8Array) => {
          await released;
          writtenBytes += data.length;
        },
        close: async () => ({ digest: B3Digest.from(new Uint8Array(32)), size: writtenBytes }),
        [Symbol.asyncDispose]: async () => {},
      }),
    });
    const { client } = await serve({ services: { ...services, blobs } });
    const { stream, done } = client.startUpload(BLOBS.Put.path);
    const message = encodeBlobChunk(Buffer.alloc(MIB));
    let sent = 0;
    for (let count = 0; count < 40; count++) stream.write(message, () => sent++);
    stream.end();
    expect(await settled(() => sent)).toBeLessThan(8);
    release();
    expect((await done).status).toBe("OK");
    expect(writtenBytes).toBe(40 * MIB);
  });

  it.each(["cancelled", "cut off", "out of time"])(
    "that is %s leaves nothing behind",
    async (how) => {
      const services = await localServices();
      const { server, target } = await serve({ services });
      const sockets: Socket[] = [];
      const [host, port] = target.split(":");
      const proxy = createServer((socket) => {
        const upstream = connectSocket({ host: host as string, port: Number(port) });
        sockets.push(socket, upstream);
        for (const each of [socket, upstream]) each.on("error", () => {});
        socket.pipe(upstream).pipe(socket);
      }).listen(0, "127.0.0.1");
      await once(proxy, "listening");
      const { port: between } = proxy.address() as { port: number };
      const client = new RawClient(how === "cut off" ? `127.0.0.1:${between}` : target);
      const content = noise(3 * MIB);
      const { stream, done } = client.startUpload(
        BLOBS.Put.path,
        how === "out of time" ? 1000 : undefined,
      );
      stream.write(encodeBlobChunk(content));
      await vi.waitUntil(() => readdirSync(services.store.layout.tmp).length === 1, PATIENCE);
      if (how === "cancelled") stream.cancel();
      if (how === "cut off") for (const socket of sockets) socket.destroy();
      expect(["CANCELLED", "UNAVAILABLE", "DEADLINE_EXCEEDED"]).toContain((await done).status);
      await vi.waitUntil(() => readdirSync(services.store.layout.tmp).length === 0, PATIENCE);
      expect(await services.blobs.has(B3Digest.of(content))).toBe(false);
      client.close();
      for (const socket of sockets) socket.destroy();
      proxy.close();
      await server.stop(0);
    },
  );

  it("that is cancelled in the middle of a write leaves nothing behind", async () => {
    const services = await localServices();
    const gate = new Gate("write");
    const blobs = new WatchedBlobService(services.blobs, gate.hook);
    const { server, target } = await serve({ services: { ...services, blobs } });
    const client = new RawClient(target);
    const { stream, done } = client.startUpload(BLOBS.Put.path);
    stream.write(encodeBlobChunk(noise(MIB)));
    await vi.waitUntil(() => gate.arrived === 1, PATIENCE);
    stream.cancel();
    expect((await done).status).toBe("CANCELLED");
    // The server learns of it.
    await callsOf("tvix", client).stat(Buffer.alloc(32));
    await settled(() => gate.arrived);
    gate.open();
    expect(await settled(() => readdirSync(services.store.layout.tmp).length)).toBe(0);
    client.close();
    await server.stop(0);
  });

  it("may send a megabyte before it is taken, not just what HTTP/2 starts with", async () => {
    const { target } = await serve();
    const session = connectHttp2(`http://${target}`);
    session.request({
      ":method": "POST",
      ":path": BLOBS.Put.path,
      "content-type": "application/grpc",
      te: "trailers",
    });
    await vi.waitUntil(() => session.remoteSettings.initialWindowSize === MIB, PATIENCE);
    await vi.waitUntil(() => (session.state.remoteWindowSize ?? 0) > 4 * MIB, PATIENCE);
    session.destroy();
  });

  it("of 10,000 tiny messages is one blob", async () => {
    const { client, services } = await serve();
    const content = noise(10_000);
    const parts = Array.from(content, (_byte, index) => content.subarray(index, index + 1));
    const answer = await callsOf("snix", client).putBlob(parts);
    expect(digestIn(answer)).toEqual(Buffer.from(B3Digest.of(content).bytes));
    expect(await services.blobs.has(B3Digest.of(content))).toBe(true);
  });

  it("of what is no BlobChunk is refused", async () => {
    const { client } = await serve();
    const answer = await client.upload(BLOBS.Put.path, [Buffer.from([0xff])]);
    expect(["INVALID_ARGUMENT", "INTERNAL"]).toContain(answer.status);
  });
});

describe("messages", () => {
  it("over the bound are refused, whatever the method", async () => {
    const { client } = await serve();
    const large = Buffer.alloc(MESSAGE_BYTES_MAX + 1);
    expect((await client.upload(BLOBS.Put.path, [large])).status).toBe("RESOURCE_EXHAUSTED");
    expect((await client.call(BLOBS.Stat.path, large)).status).toBe("RESOURCE_EXHAUSTED");
    expect((await callsOf("tvix", client).stat(new Uint8Array(32))).status).toBe("NOT_FOUND");
  });

  it("that arrive all at once are refused beyond what was set aside for them", async () => {
    const { client } = await serve({ arrivingBytesMax: 3 * MIB });
    const partial = encodeBlobChunk(noise(2 * MIB)).subarray(0, MIB);
    const { target } = await serve({ arrivingBytesMax: 3 * MIB });
    const session = connectHttp2(`http://${target}`);
    const calls = Array.from({ length: 5 }, () => startCall(session, BLOBS.Put.path));
    const statuses: unknown[] = [];
    for (const call of calls) {
      call.on("response", (headers) => statuses.push(headers["grpc-status"]));
      call.write(framed(partial, 2 * MIB));
    }
    // Three fit; a fourth may be refused for the frames around them.
    await vi.waitUntil(() => statuses.length >= 2, PATIENCE);
    expect(new Set(statuses)).toEqual(new Set(["8"]));
    session.destroy();
    const again = new RawClient(target);
    for (let round = 0; round < 10; round++) {
      const answer = await again.upload(BLOBS.Put.path, [encodeBlobChunk(noise(MIB))]);
      expect(answer.status).toBe("OK");
    }
    again.close();
    expect((await client.upload(BLOBS.Put.path, Array(50).fill(partial))).status).not.toBe(
      "RESOURCE_EXHAUSTED",
    );
  });

  it("that come a byte per frame are refused for what the frames take", async () => {
    const { target } = await serve({ arrivingBytesMax: MIB });
    const session = connectHttp2(`http://${target}`);
    const call = startCall(session, BLOBS.Put.path);
    let status: unknown;
    call.on("response", (headers) => {
      status = headers["grpc-status"];
    });
    call.write(framed(new Uint8Array(0), MIB / 2));
    for (let sent = 0; sent < 10_000 && status === undefined; sent++) {
      await written(call, Buffer.from("x"));
    }
    expect(status).toBe("8");
    session.destroy();
  });

  it("count with what came between their pieces, until they are done with", async () => {
    const { target } = await serve({ arrivingBytesMax: 3 * MIB });
    const session = connectHttp2(`http://${target}`);
    const piece = noise(8 * 1024);
    const statuses: unknown[] = [];
    const start = (): ClientHttp2Stream => {
      const call = startCall(session, BLOBS.Put.path).resume();
      call.on("response", (headers) => statuses.push(headers["grpc-status"]));
      call.write(framed(piece, 4 * MIB));
      return call;
    };
    const kept = start();
    for (let round = 0; round < 25 && statuses.length === 0; round++) {
      const givenUp = start();
      for (let sent = 0; sent < 10 && statuses.length === 0; sent++) {
        givenUp.write(piece);
        await written(kept, piece);
      }
      givenUp.close(constants.NGHTTP2_CANCEL);
      await once(givenUp, "close");
    }
    // Which of the two it is, is chance.
    await vi.waitUntil(() => statuses.length > 0, PATIENCE);
    expect(statuses).toEqual(["8"]);
    session.destroy();
    const again = new RawClient(target);
    const answer = await again.upload(BLOBS.Put.path, [encodeBlobChunk(noise(2 * MIB))]);
    expect(answer.status).toBe("OK");
    again.close();
  });

  it("that come many in one frame are given back when they are done with", async () => {
    const { client, target } = await serve({ arrivingBytesMax: MIB });
    const piece = encodeBlobChunk(noise(1000));
    const frames = Buffer.concat(Array.from({ length: 12 }, () => framed(piece)));
    const session = connectHttp2(`http://${target}`);
    for (let round = 0; round < 120; round++) {
      const call = startCall(session, BLOBS.Put.path);
      let status: unknown;
      call.on("response", (headers) => {
        status = headers["grpc-status"];
      });
      call.on("trailers", (trailers) => {
        status = trailers["grpc-status"];
      });
      call.resume().end(frames);
      await once(call, "close");
      expect([round, status]).toEqual([round, "0"]);
    }
    session.destroy();
    const answer = await client.upload(BLOBS.Put.path, [encodeBlobChunk(noise(500_000))]);
    expect(answer.status).toBe("OK");
  });

  it("of 5 MiB that are no directory are refused", async () => {
    const { client } = await serve();
    const answer = await callsOf("tvix", client).putDirectories([noise(5 * MIB)]);
    expect(answer.status).toBe("INVALID_ARGUMENT");
  });

  it("that announce more than they bring wait for nobody", async () => {
    const { client } = await serve();
    const { stream, done } = client.startUpload(BLOBS.Put.path);
    stream.write(encodeBlobChunk(bytes("x")));
    stream.cancel();
    expect((await done).status).toBe("CANCELLED");
  });
});

function* chain(levels: number): Generator<Directory> {
  let inner = directoryFrom([]);
  yield inner;
  for (let depth = 1; depth < levels; depth++) {
    const { digest, size } = inner;
    inner = directoryFrom([{ name: bytes("d"), node: { type: "directory", digest, size } }]);
    yield inner;
  }
}

describe("an upload of directories", () => {
  it("with 10,000 levels is stored and given back", async () => {
    const { client } = await serve();
    const calls = callsOf("tvix", client);
    const levels = [...chain(10_000)];
    const root = levels.at(-1) as Directory;
    const stored = await calls.putDirectories(levels.map((each) => each.bytes));
    expect(digestIn(stored)).toEqual(Buffer.from(root.digest.bytes));
    expect((await calls.getDirectory(root.digest.bytes, true)).messages).toHaveLength(10_000);
  });

  it.each([
    ["new directories", () => chain(1_000_000)],
    ["the same directory", () => Array(100_000).fill(DIRECTORY.withKeep)],
  ])("that never ends is refused when it has used up its memory: %s", async (_title, endless) => {
    const { client, services } = await serve({ directoryUploadBytesMax: MIB });
    function* messages(): Generator<Uint8Array> {
      for (const { bytes } of endless() as Iterable<Directory>) yield bytes;
    }
    const answer = await client.upload(DIRECTORIES.Put.path, messages());
    expect(answer.status).toBe("RESOURCE_EXHAUSTED");
    expect(answer.details).toContain(`${MIB} bytes`);
    expect(await services.directories.get(directoryFrom([]).digest)).toBeUndefined();
  });

  it("gives its memory back when it ends, however it ends", async () => {
    let over = 0;
    const { client } = await serve({ directoryUploadBytesMax: MIB, onCall: () => over++ });
    const calls = callsOf("tvix", client);
    const levels = [...chain(1500)].map((each) => each.bytes);
    for (let round = 0; round < 4; round++) {
      expect((await calls.putDirectories(levels)).status).toBe("OK");
      const { stream, done } = client.startUpload(DIRECTORIES.Put.path);
      for (const message of levels) {
        await new Promise<void>((resolve) => stream.write(Buffer.from(message), () => resolve()));
      }
      stream.cancel();
      expect((await done).status).toBe("CANCELLED");
      expect((await calls.putDirectories(levels.slice(1))).status).toBe("INVALID_ARGUMENT");
      await vi.waitUntil(() => over === 3 * (round + 1), PATIENCE);
    }
  });

  it("that stalls is given up", async () => {
    const { client } = await serve({ uploadStallMs: 200 });
    const { stream, done } = client.startUpload(DIRECTORIES.Put.path);
    stream.write(Buffer.from(directoryFrom([]).bytes));
    expect(await done).toMatchObject({
      status: "UNAVAILABLE",
      details: expect.stringContaining("stalled"),
    });
  });
});

describe("1,000 idle streams", () => {
  it("do not keep others from being served", async () => {
    const { target, services, client } = await serve();
    const { digest } = await putBlob(services.blobs, bytes("still here"));
    const idle = Array.from({ length: 10 }, () => new RawClient(target));
    const uploads = idle.flatMap((each) =>
      Array.from({ length: 100 }, () => each.startUpload(BLOBS.Put.path)),
    );
    for (const { stream } of uploads) stream.write(encodeBlobChunk(bytes("x")));
    for (const each of idle) {
      expect(contentIn(await callsOf("tvix", each).read(digest.bytes))).toEqual(
        bytes("still here"),
      );
    }
    expect((await callsOf("snix", client).stat(digest.bytes)).status).toBe("OK");
    for (const { stream } of uploads) stream.cancel();
    const answers = await Promise.all(uploads.map(({ done }) => done));
    expect(new Set(answers.map((each) => each.status))).toEqual(new Set(["CANCELLED"]));
    for (const each of idle) each.close();
  });

  it("beyond what one connection may have wait on the client's side", async () => {
    const { client } = await serve();
    const uploads = Array.from({ length: 300 }, () => client.startUpload(BLOBS.Put.path));
    for (const { stream } of uploads) {
      stream.write(encodeBlobChunk(bytes("x")));
      stream.end();
    }
    for (const { done } of uploads) expect((await done).status).toBe("OK");
  });
});
