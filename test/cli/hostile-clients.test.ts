/**
 * What clients do to a daemon that they mean no good, and how much memory it takes at its worst. The daemon is
 * a process of its own: its peak is what the kernel says it was.
 */
import { readdirSync, readFileSync } from "node:fs";
import { type ClientHttp2Session, connect as connectHttp2 } from "node:http2";
import { connect as connectSocket } from "node:net";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { directoryFrom } from "../../src/castore/directory-codec.js";
import { GATHERED_MAX } from "../../src/castore/local/blob-files.js";
import { serviceDefinitions } from "../../src/grpc/definitions.js";
import { until } from "../fuse/support/fake-mount.js";
import { encodeBlobChunk } from "../grpc/support/blob-chunk.js";
import { callsOf } from "../grpc/support/messages.js";
import { RawClient } from "../grpc/support/raw-client.js";
import { framed, startCall } from "../grpc/support/raw-frames.js";
import { bytes, noise } from "../support/bytes.js";
import { TestStore } from "../support/cli.js";
import { CliServer } from "../support/cli-server.js";
import { temporaryFolder } from "../support/temp.js";

const MIB = 1024 * 1024;
const { blobs: BLOBS, directories: DIRECTORIES } = serviceDefinitions("tvix");
/** An idle daemon takes about 110 MiB. */
const PEAK_MIB_MAX = 704;

let store: TestStore;
let daemon: CliServer;
let place: string;
let client: RawClient;

beforeAll(async () => {
  store = new TestStore();
  place = `unix:${join(temporaryFolder(), "socket")}`;
  daemon = await CliServer.start(store, ["daemon", "-l", place]);
  client = new RawClient(place);
});

afterAll(() => {
  client.close();
  daemon[Symbol.dispose]();
});

/** The most memory the daemon has had so far, in MiB. */
function peakMib(): number {
  const status = readFileSync(`/proc/${daemon.process.pid}/status`, "utf8");
  return Number(/^VmHWM:\s+(\d+)/m.exec(status)?.[1]) / 1024;
}

function uploadsOnDisk(): number {
  return readdirSync(join(store.folder, "tmp")).length;
}

/** It lives, answers others, has no upload left, and has kept to its memory. */
async function expectUnharmed(): Promise<void> {
  expect((await callsOf("snix", client).stat(Buffer.alloc(32))).status).toBe("NOT_FOUND");
  await until(() => uploadsOnDisk() === 0);
  expect(daemon.hasExited).toBe(false);
  expect(peakMib()).toBeLessThan(PEAK_MIB_MAX);
}

/** Calls Read and never takes what comes. */
function startRead(digest: Uint8Array): ClientHttp2Session {
  const session = connectHttp2("http://localhost", {
    createConnection: () => connectSocket(place.slice("unix:".length)),
  });
  session.on("error", () => {});
  for (let stream = 0; stream < 10; stream++) {
    const request = startCall(session, BLOBS.Read.path);
    request.on("error", () => {});
    request.end(framed(BLOBS.Read.requestSerialize({ digest })));
  }
  return session;
}

describe("A daemon stays within its memory and serves others", () => {
  test("when a blob never ends and is then given up: nothing of it stays", async () => {
    const { stream, done } = client.startUpload(BLOBS.Put.path);
    const message = encodeBlobChunk(noise(4 * MIB));
    for (let sent = 0; sent < 150; sent++) {
      await new Promise<void>((resolve) => stream.write(message, () => resolve()));
    }
    expect(uploadsOnDisk()).toBe(1);
    stream.cancel();
    expect((await done).status).toBe("CANCELLED");
    await expectUnharmed();
  });

  test("when 1,000 uploads have begun and stand still", async () => {
    const idle = Array.from({ length: 10 }, () => new RawClient(place));
    const uploads = idle.flatMap((each) =>
      Array.from({ length: 100 }, () => each.startUpload(BLOBS.Put.path)),
    );
    for (const { stream } of uploads) stream.write(encodeBlobChunk(noise(100_000)));
    // The first few are in memory.
    await until(() => uploadsOnDisk() === uploads.length - GATHERED_MAX);
    expect((await callsOf("tvix", client).stat(Buffer.alloc(32))).status).toBe("NOT_FOUND");
    for (const each of idle) each.close();
    for (const { stream } of uploads) stream.cancel();
    await Promise.all(uploads.map(({ done }) => done));
    await expectUnharmed();
  });

  test("when 100 readers of a large blob do not read", async () => {
    const content = noise(30 * MIB);
    const parts = Array.from({ length: 30 }, (_, at) => content.subarray(at * MIB, (at + 1) * MIB));
    const stored = await callsOf("tvix", client).putBlob(parts);
    const digest = BLOBS.Put.responseDeserialize(stored.messages[0] as Buffer).digest;
    const sessions = Array.from({ length: 10 }, () => startRead(digest));
    for (let round = 0; round < 50; round++) {
      expect((await callsOf("tvix", client).stat(digest)).status).toBe("OK");
    }
    for (const session of sessions) session.destroy();
    await expectUnharmed();
  });

  test("when directories never end", async () => {
    function* endless(): Generator<Uint8Array> {
      let inner = directoryFrom([]);
      const names = Array.from({ length: 500 }, (_, index) => bytes(`name-${1000 + index}`));
      for (;;) {
        yield inner.bytes;
        const { digest, size } = inner;
        inner = directoryFrom(
          names.map((name) => ({
            name,
            node: { type: "directory", digest, size: size / BigInt(names.length) },
          })),
        );
      }
    }
    const answer = await client.upload(DIRECTORIES.Put.path, endless());
    expect(["INVALID_ARGUMENT", "RESOURCE_EXHAUSTED"]).toContain(answer.status);
    await expectUnharmed();
  });

  test("when messages of 15 MiB come on 60 calls at once", async () => {
    const large = Buffer.alloc(15 * MIB, 0xff);
    const clients = [client, new RawClient(place), new RawClient(place)];
    const answers = await Promise.all(
      clients.flatMap((each) =>
        Array.from({ length: 20 }, () => each.upload(DIRECTORIES.Put.path, [large])),
      ),
    );
    const statuses = new Set(answers.map(({ status }) => status));
    // Some are heard to their end and are nonsense, the rest are too many.
    expect([...statuses].sort()).toEqual(["INVALID_ARGUMENT", "RESOURCE_EXHAUSTED"]);
    for (const each of clients.slice(1)) each.close();
    await expectUnharmed();
  });
});
