import { join } from "node:path";
import { expect, test } from "vitest";
import { B3Digest } from "../../src/castore/digest.js";
import { GrpcBlobService } from "../../src/grpc/blob-client.js";
import { Channel } from "../../src/grpc/channel.js";
import { temporaryFolder } from "../support/temp.js";
import { CountingProxy } from "./support/counting-proxy.js";
import { pairWith } from "./support/pair.js";
import { memoryServices } from "./support/serve.js";

const ABSENT = B3Digest.of(Buffer.from("absent"));

test("A channel gives up a connection that went dead, and asks again on a new one", async () => {
  const socket = join(temporaryFolder(), "server");
  const pair = await pairWith(memoryServices(), `unix:${socket}`);
  const proxy = await CountingProxy.start(socket);
  const target = proxy.address.replace("grpc+unix://", "unix:");
  const options = { address: proxy.address, target, tls: false, deadlineMs: 5000, pingMs: 200 };
  using channel = new Channel(options);
  const blobs = new GrpcBlobService(channel);
  expect(await blobs.has(ABSENT)).toBe(false);
  proxy.freezeConnections();
  expect(await blobs.has(ABSENT)).toBe(false);
  expect(proxy.connections).toBe(2);
  proxy.close();
  await pair.close();
});
