/**
 * Content is served on memory that is used again. Whoever reads slowly must not see what comes later.
 */
import { writeFileSync } from "node:fs";
import { get, type IncomingMessage } from "node:http";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { beforeAll, expect, test } from "vitest";
import { B3Digest } from "../../src/castore/digest.js";
import { GrpcBlobService } from "../../src/grpc/blob-client.js";
import { Channel } from "../../src/grpc/channel.js";
import { encodeNixBase32 } from "../../src/store/nixbase32.js";
import { StorePath } from "../../src/store/store-path.js";
import { noise } from "../support/bytes.js";
import { sriOf, TestStore } from "../support/cli.js";
import { CliServer } from "../support/cli-server.js";
import { temporaryFolder } from "../support/temp.js";

const CONTENT = noise(24_000_000, 1);
const store = new TestStore();
let storePath: string;

beforeAll(async () => {
  const source = join(temporaryFolder(), "large");
  writeFileSync(source, CONTENT);
  storePath = await store.import(source);
});

test("A slow reader of a NAR over HTTP gets it as it is", async () => {
  using server = await CliServer.start(
    store,
    ["daemon", "-l", `unix:${join(temporaryFolder(), "socket")}`, "--http", "127.0.0.1:0"],
    {},
    "http on",
  );
  const url = `http://${server.places("http")[0]}`;
  const narinfo = `${encodeNixBase32(StorePath.parse(storePath.slice(11)).hash)}.narinfo`;
  const text = await (await fetch(`${url}/${narinfo}`)).text();
  const place = /^URL: (.*)$/m.exec(text)?.[1];
  const response = await new Promise<IncomingMessage>((resolve) => get(`${url}/${place}`, resolve));
  expect(response.headers["content-encoding"]).toBeUndefined();
  const pieces: Buffer[] = [];
  for await (const piece of response) {
    if (pieces.length % 16 === 0) await sleep(2);
    pieces.push(piece as Buffer);
  }
  const [info] = await store.list();
  expect(sriOf(Buffer.concat(pieces))).toBe(info?.narHash);
});

test("A slow reader of a blob over gRPC gets it as it is", async () => {
  const socket = `unix:${join(temporaryFolder(), "socket")}`;
  using _server = await CliServer.start(store, ["daemon", "-l", socket]);
  using channel = new Channel({ address: socket, target: socket, tls: false });
  await using reader = await new GrpcBlobService(channel).openRead(B3Digest.of(CONTENT));
  const pieces: Uint8Array[] = [];
  for await (const piece of reader?.stream() ?? []) {
    await sleep(20);
    pieces.push(piece);
  }
  expect(Buffer.concat(pieces).equals(CONTENT)).toBe(true);
});
