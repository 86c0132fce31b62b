import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, describe, expect, test, vi } from "vitest";
import { HttpClient } from "../../../src/store/substitution/http-client.js";
import { CacheServer } from "../../support/cache-server.js";
import { temporaryFolder } from "../../support/temp.js";

/** Asks a server for a file, and tells which connection was used and when one is idle again. */
async function start() {
  const folder = temporaryFolder();
  writeFileSync(join(folder, "file"), "content");
  const server = await CacheServer.start(folder);
  const client = new HttpClient({
    connectionsMax: 4,
    connectTimeoutMs: 5000,
    stallTimeoutMs: 5000,
  });
  const ports: (number | undefined)[] = [];
  server.inject(/^file$/, (response, request, file) => {
    ports.push(request.socket.remotePort);
    server.serve(response, request, file as Buffer);
  });
  const get = async () => {
    const answer = await client.get(new URL("/file", server.url), {}, undefined);
    const pieces: Uint8Array[] = [];
    for await (const piece of answer.body()) pieces.push(piece);
    expect(Buffer.concat(pieces).toString()).toBe("content");
    return ports.at(-1);
  };
  return { server, client, get };
}

afterEach(() => {
  vi.restoreAllMocks();
});

describe("HttpClient", () => {
  test("uses a connection again, but not one that was idle for more than a minute", async () => {
    const { server, client, get } = await start();
    using _ = server;
    const first = await get();
    const startMs = Date.now();
    const clock = vi.spyOn(Date, "now").mockReturnValue(startMs + 59_000);
    expect(await get()).toBe(first);
    clock.mockReturnValue(startMs + 59_000 + 61_000);
    const second = await get();
    expect(second).not.toBe(first);
    expect(await get()).toBe(second);
    await vi.waitFor(() => expect(server.connections).toBe(1));
    client.close();
  });

  test("leaves what is under way alone when it lets go of what is idle", async () => {
    const { server, client, get } = await start();
    using _ = server;
    let finish = (): void => {};
    server.inject(/slow/, (response) => {
      response.writeHead(200, { "content-length": 7 }).write("con");
      finish = () => response.end("tent");
    });
    const answer = await client.get(new URL("/slow", server.url), {}, undefined);
    vi.spyOn(Date, "now").mockReturnValue(Date.now() + 61_000);
    await get();
    finish();
    const pieces: Uint8Array[] = [];
    for await (const piece of answer.body()) pieces.push(piece);
    expect(Buffer.concat(pieces).toString()).toBe("content");
    client.close();
  });
});
