import type { ServerResponse } from "node:http";
import { expect, test, vi } from "vitest";
import { status } from "../../support/cache-server.js";
import { Client, serveCache } from "./support/setting.js";

const INFO = /nix-cache-info$/;

test("A cache that was met is not asked again what it is", async () => {
  using server = await serveCache();
  const client = new Client([server.url]);
  client.pathInfos.meet();
  await vi.waitFor(() => expect([server.count(INFO), server.answering]).toEqual([1, 0]));
  expect(await client.get()).toBeDefined();
  expect(server.count(INFO)).toBe(1);
});

test("Who asks while a cache is being met waits for the same answer", async () => {
  using server = await serveCache();
  const client = new Client([server.url]);
  client.pathInfos.meet();
  expect(await client.get()).toBeDefined();
  expect(server.count(INFO)).toBe(1);
});

test("A cache that could not be met is asked all the same", async () => {
  using server = await serveCache();
  server.inject(INFO, status(418), 1);
  const client = new Client([server.url]);
  client.pathInfos.meet();
  await vi.waitFor(() => expect(server.count(INFO)).toBe(1));
  // Long before a cache that failed would be asked again.
  await vi.waitFor(async () => expect(await client.get()).toBeDefined());
});

test("A failure that somebody had to wait for opens the breaker, though it was met beside them", async () => {
  using server = await serveCache();
  const asking = new Promise<ServerResponse>((resolve) => server.inject(INFO, resolve, 1));
  const client = new Client([server.url]);
  client.pathInfos.meet();
  const response = await asking;
  const asked = client.get();
  setTimeout(() => response.writeHead(418).end(), 100);
  await expect(asked).rejects.toThrow("the server answers 418");
  await expect(client.get()).rejects.toThrow("is not asked for a while");
  expect(server.count(INFO)).toBe(1);
});
