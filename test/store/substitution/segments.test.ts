import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { expect, it, vi } from "vitest";
import { HttpFetcher } from "../../../src/store/substitution/http-fetcher.js";
import { SEGMENT_BYTES } from "../../../src/store/substitution/segments.js";
import { noise } from "../../support/bytes.js";
import { CacheServer, type Fault } from "../../support/cache-server.js";
import { temporaryFolder } from "../../support/temp.js";

const FILE = noise(SEGMENT_BYTES * 6 + 12_345, 7);
const NAR = /^nar$/;

async function serve(): Promise<CacheServer> {
  const folder = temporaryFolder();
  writeFileSync(join(folder, "nar"), FILE);
  return await CacheServer.start(folder);
}

/** Takes every line for a slow one, unless told. */
function fetcherOf({ url }: CacheServer, singleFrom = Number.POSITIVE_INFINITY): HttpFetcher {
  return new HttpFetcher({
    singleFrom,
    address: url,
    base: new URL(url),
    connectTimeoutMs: 5000,
    stallTimeoutMs: 30_000,
    retry: { pauseMs: 1, attemptsMax: 3 },
  });
}

async function open(fetcher: HttpFetcher, offset = 0): Promise<AsyncIterable<Uint8Array>> {
  const stream = await fetcher.stream("nar", { offset, size: FILE.length });
  if (stream === undefined) throw new Error("It is not there");
  return stream;
}

async function content(fetcher: HttpFetcher, offset = 0): Promise<Buffer> {
  const pieces: Uint8Array[] = [];
  for await (const piece of await open(fetcher, offset)) pieces.push(piece);
  return Buffer.concat(pieces);
}

/** Answers as it should, but segments behind the first only in threes: their number is a multiple of that. */
function answerInThrees(server: CacheServer): void {
  const waiting: (() => void)[] = [];
  server.inject(NAR, (response, request, file) => {
    const answer = () => server.serve(response, request, file as Buffer);
    if (server.requests.length === 1) return answer();
    waiting.push(answer);
    if (waiting.length === 3) for (const each of waiting.splice(0)) each();
  });
}

it.each([
  ["the whole", 0],
  ["the rest", SEGMENT_BYTES * 3 + 99],
])(
  "fetches %s of a large file over several connections, each byte once",
  async (_title, offset) => {
    using server = await serve();
    answerInThrees(server);
    const fetcher = fetcherOf(server);
    expect((await content(fetcher, offset)).equals(FILE.subarray(offset))).toBe(true);
    expect(server.bytesSent).toBe(FILE.length - offset);
    fetcher.close();
  },
);

it("fetches what comes fast over one connection", async () => {
  using server = await serve();
  const fetcher = fetcherOf(server, 0);
  expect((await content(fetcher)).equals(FILE)).toBe(true);
  expect(server.requests).toHaveLength(2);
  expect(server.bytesSent).toBe(FILE.length);
  fetcher.close();
});

/** Reads into the second segment and leaves when so many parts have been asked for. */
async function leaveAfter(server: CacheServer, requests: number): Promise<void> {
  const fetcher = fetcherOf(server);
  let bytes = 0;
  for await (const piece of await open(fetcher)) {
    bytes += piece.length;
    if (bytes <= SEGMENT_BYTES) continue;
    await vi.waitFor(() => expect(server.requests).toHaveLength(requests));
    await sleep(100);
    break;
  }
  expect(server.requests).toHaveLength(requests);
  await vi.waitFor(() => expect(server.answering).toBe(0));
  fetcher.close();
}

it.each([
  ["one connection", 0],
  ["several connections", Number.POSITIVE_INFINITY],
])("tries again what fails behind the first segment, over %s", async (_title, singleFrom) => {
  using server = await serve();
  let failures = 1;
  server.inject(NAR, (response, request, file) => {
    if (request.headers.range?.startsWith("bytes=0-") || failures-- <= 0) {
      server.serve(response, request, file as Buffer);
    } else {
      response.writeHead(503).end();
    }
  });
  const fetcher = fetcherOf(server, singleFrom);
  expect((await content(fetcher)).equals(FILE)).toBe(true);
  fetcher.close();
});

it("fetches no further ahead than it has memory for", async () => {
  using server = await serve();
  await leaveAfter(server, 5);
});

it("lets go of everything when nobody reads on", async () => {
  using server = await serve();
  server.inject(NAR, (response, request, file) => {
    const [, start] = /^bytes=(\d+)-/.exec(request.headers.range ?? "") ?? [];
    // What is behind the second never comes.
    if (Number(start) <= SEGMENT_BYTES) server.serve(response, request, file as Buffer);
  });
  await leaveAfter(server, 5);
});

it("goes on where a segment broke off", async () => {
  using server = await serve();
  const cut: Fault = (response, request, file) => {
    const [, start = "", last = ""] = /^bytes=(\d+)-(\d+)$/.exec(request.headers.range ?? "") ?? [];
    const part = (file as Buffer).subarray(Number(start), Number(last) + 1);
    response.writeHead(206, {
      "content-length": part.length,
      "content-range": `bytes ${start}-${last}/${FILE.length}`,
    });
    server.bytesSent += 1000;
    response.write(part.subarray(0, 1000), () => response.destroy());
  };
  server.inject(NAR, cut, 3);
  const fetcher = fetcherOf(server);
  expect((await content(fetcher)).equals(FILE)).toBe(true);
  expect(server.bytesSent).toBeLessThanOrEqual(FILE.length + 3000);
  fetcher.close();
});

it("takes the whole that a server sends instead of a part", async () => {
  using server = await serve();
  server.ranges = false;
  const fetcher = fetcherOf(server);
  expect((await content(fetcher)).equals(FILE)).toBe(true);
  expect((await content(fetcher)).equals(FILE)).toBe(true);
  expect(server.requests).toHaveLength(2);
  fetcher.close();
});

it("does not join parts of different files", async () => {
  using server = await serve();
  server.inject(NAR, (response, request, file) => {
    const isFirst = request.headers.range?.startsWith("bytes=0-");
    const other = Buffer.concat([file as Buffer, Buffer.alloc(isFirst ? 0 : 1)]);
    server.serve(response, request, other);
  });
  const fetcher = fetcherOf(server);
  await expect(content(fetcher)).rejects.toMatchObject({
    code: "unavailable",
    message: expect.stringMatching(/\/nar.*it has changed on its way/),
  });
  fetcher.close();
});

it("names the failure of a segment behind the first", async () => {
  using server = await serve();
  server.inject(NAR, (response, request, file) => {
    if (request.headers.range?.startsWith("bytes=0-")) {
      server.serve(response, request, file as Buffer);
    } else {
      response.writeHead(403).end();
    }
  });
  const fetcher = fetcherOf(server);
  await expect(content(fetcher)).rejects.toMatchObject({
    code: "permission-denied",
    message: expect.stringMatching(/answers 403/),
  });
  fetcher.close();
});
