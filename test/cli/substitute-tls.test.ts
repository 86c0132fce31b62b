/**
 * Binary caches over TLS: HTTP/2 from servers that offer it, HTTP/1.1 from others.
 */
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import {
  constants,
  createSecureServer,
  type Http2ServerRequest,
  type Http2ServerResponse,
} from "node:http2";
import { createServer } from "node:https";
import type { AddressInfo, Server } from "node:net";
import { join } from "node:path";
import { afterEach, beforeAll, expect, it } from "vitest";
import { SecretKey } from "../../src/store/signature/secret-key.js";
import { StorePath } from "../../src/store/store-path.js";
import { Authority } from "../grpc/support/certificates.js";
import { narOf } from "../store/substitution/support/setting.js";
import { directory, file } from "../store/support/tree.js";
import { BinaryCache } from "../support/binary-cache.js";
import { noise } from "../support/bytes.js";
import { TestStore } from "../support/cli.js";
import { temporaryFolder } from "../support/temp.js";

const KEY = SecretKey.generate("cache-1");
const STORE_PATH = StorePath.parse("0123456789abcdfghijklmnpqrsvwxyz-hello");
const authority = new Authority("tests");
const certificates = join(temporaryFolder(), "ca.pem");
const cache = new BinaryCache();

type Answer = (request: Http2ServerRequest, response: Http2ServerResponse, content: Buffer) => void;

/** What was asked for: the version of HTTP, the path, the range. */
let requests: string[];
let sessions: number;
let server: Server;
/** Answer NARs in their own way, each once. */
let faults: Answer[];

beforeAll(async () => {
  writeFileSync(certificates, authority.certificate);
  const nar = await narOf(directory({ big: file(noise(1_500_000, 1)), small: file("small\n") }));
  cache.add({ storePath: STORE_PATH, nar, signWith: KEY });
});

/** A server that offers HTTP/2 beside HTTP/1.1, or does not. */
async function serve(offersHttp2: boolean): Promise<string> {
  requests = [];
  sessions = 0;
  faults = [];
  const { certificate, key } = authority.certify("cache");
  const options = { cert: certificate, key };
  server = offersHttp2
    ? createSecureServer({ ...options, allowHTTP1: true })
    : createServer(options);
  server.on("session", () => sessions++);
  server.on("request", (request: Http2ServerRequest, response: Http2ServerResponse) => {
    const { range = "" } = request.headers;
    requests.push(`${request.httpVersion} ${request.url} ${range}`.trimEnd());
    const path = join(cache.folder, request.url);
    if (!existsSync(path)) return void response.writeHead(404).end();
    const fault = request.url.startsWith("/nar/") ? faults.shift() : undefined;
    (fault ?? answer)(request, response, readFileSync(path));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return `https://localhost:${(server.address() as AddressInfo).port}`;
}

afterEach(() => server.close());

const answer: Answer = (request, response, content) => {
  const start = Number(/^bytes=(\d+)-$/.exec(request.headers.range ?? "")?.[1] ?? 0);
  const range = `bytes ${start}-${content.length - 1}/${content.length}`;
  response.writeHead(start === 0 ? 200 : 206, {
    "content-length": content.length - start,
    "accept-ranges": "bytes",
    ...(start > 0 && { "content-range": range }),
  });
  response.end(content.subarray(start));
};

/** Promises all, sends half, and then does `end`. */
function half(end: (response: Http2ServerResponse) => void): Answer {
  return (_request, response, content) => {
    response.writeHead(200, { "content-length": content.length, "accept-ranges": "bytes" });
    response.write(content.subarray(0, content.length >> 1), () => end(response));
  };
}

async function prefetch(
  url: string,
  env: Record<string, string> = {},
  more: readonly string[] = [],
) {
  const store = new TestStore();
  const options = ["--substituter", url, "--trusted-public-key", String(KEY.publicKey), ...more];
  const outcome = await store.run(["prefetch", ...options, STORE_PATH.basename], {
    env: { NODE_EXTRA_CA_CERTS: certificates, ...env },
  });
  return { ...outcome, store };
}

it("speak HTTP/2 where it is offered, on one connection for questions and one for NARs", async () => {
  const { status, store, stderr } = await prefetch(await serve(true));
  expect([status, stderr]).toEqual([0, ""]);
  expect(await store.readBack()).toEqual([String(STORE_PATH)]);
  expect(requests.filter((request) => !request.startsWith("2.0 "))).toEqual([]);
  expect(requests.some((request) => request.startsWith("2.0 /nar/"))).toBe(true);
  expect(sessions).toBe(2);
});

it("speak HTTP/1.1 where it is not", async () => {
  const { status, store } = await prefetch(await serve(false));
  expect(status).toBe(0);
  expect(await store.readBack()).toEqual([String(STORE_PATH)]);
  expect(requests.filter((request) => !request.startsWith("1.1 "))).toEqual([]);
});

it.each([
  [
    "the stream",
    (response: Http2ServerResponse) => response.stream.close(constants.NGHTTP2_CANCEL),
  ],
  ["the connection", (response: Http2ServerResponse) => response.stream.session?.destroy()],
])("go on where a NAR broke off with %s", async (_, end) => {
  const url = await serve(true);
  faults.push(half(end));
  const { status, store, stderr } = await prefetch(url);
  expect([status, stderr]).toEqual([0, ""]);
  expect(await store.readBack()).toEqual([String(STORE_PATH)]);
  const nars = requests.filter((request) => request.includes("/nar/"));
  expect(nars).toHaveLength(2);
  expect(nars[1]).toMatch(/ bytes=\d+-$/);
});

it("go on over a new connection when a NAR stalls over HTTP/2", async () => {
  const url = await serve(true);
  faults.push(half(() => {}));
  const { status, store, stderr } = await prefetch(url, {}, ["--stall-timeout", "1"]);
  expect([status, stderr]).toEqual([0, ""]);
  expect(await store.readBack()).toEqual([String(STORE_PATH)]);
  expect(requests.at(-1)).toMatch(/^2\.0 \/nar\/.* bytes=\d+-$/);
  expect(sessions).toBe(3);
});

it("name a server that never answers over HTTP/2", async () => {
  const url = await serve(true);
  const silence: Answer = () => {};
  faults.push(silence, silence, silence, silence, silence);
  const { status, stderr } = await prefetch(url, {}, ["--stall-timeout", "0.3"]);
  expect([status, stderr]).toEqual([1, expect.stringMatching(/\/nar\/.*no answer for 0\.3 s/)]);
});

it("refuse servers that nobody they know has certified", async () => {
  const { status, stderr } = await prefetch(await serve(true), { NODE_EXTRA_CA_CERTS: "" });
  expect([status, stderr]).toEqual([1, expect.stringMatching(/unable to|self.signed|issuer/i)]);
  expect(requests).toEqual([]);
});
