/**
 * What can go wrong between here and a binary cache: each is named, and leaves nothing wrong behind.
 */
import { createHash } from "node:crypto";
import { gzipSync } from "node:zlib";
import { describe, expect, test } from "vitest";
import type { ErrorCode } from "../../../src/base/errors.js";
import { formatHash } from "../../../src/store/nix-hash.js";
import { SecretKey } from "../../../src/store/signature/secret-key.js";
import type { BinaryCache } from "../../support/binary-cache.js";
import {
  type CacheServer,
  cutAfter,
  instead,
  silence,
  stallAfter,
  status,
} from "../../support/cache-server.js";
import { directory, file } from "../support/tree.js";
import {
  Client,
  edit,
  NAR,
  NARINFO,
  narOf,
  newCache,
  STORE_PATH,
  serveCache,
} from "./support/setting.js";

type Break = (server: CacheServer, cache: BinaryCache) => void | Promise<void>;

const otherNar = await narOf(directory({ evil: file("not what was signed") }));
const wholeNar = await narOf();

function hashOf(content: Uint8Array): string {
  const digest = createHash("sha256").update(content).digest();
  return formatHash({ algorithm: "sha256", digest });
}

/** Each with what the user is told. */
const FAULTS: readonly (readonly [string, ErrorCode, RegExp, Break])[] = [
  [
    "403 for a narinfo",
    "unavailable",
    /answers 403 \(forbidden\).*--netrc-file/,
    (server) => server.inject(NARINFO, status(403)),
  ],
  ["401 for a NAR", "unavailable", /answers 401/, (server) => server.inject(NAR, status(401))],
  [
    "404 for a NAR that is listed",
    "corrupt",
    /has no "nar\/.*", the NAR of/,
    (server) => server.inject(NAR, status(404)),
  ],
  [
    "500 for a narinfo",
    "unavailable",
    /answers 500/,
    (server) => server.inject(NARINFO, status(500)),
  ],
  ["500 for a NAR", "unavailable", /answers 500/, (server) => server.inject(NAR, status(500))],
  ["418", "unavailable", /answers 418/, (server) => server.inject(NARINFO, status(418))],
  [
    "429 for longer than anyone waits",
    "unavailable",
    /answers 429 \(too many requests\)/,
    (server) => server.inject(NARINFO, status(429, { "retry-after": "3600" })),
  ],
  [
    "a NAR cut again and again at the same place",
    "unavailable",
    /the connection broke/,
    (server) => server.inject(NAR, cutAfter(server, 0)),
  ],
  [
    "a NAR cut by a server without ranges",
    "unavailable",
    /the connection broke/,
    (server) => {
      server.ranges = false;
      server.inject(NAR, cutAfter(server, 1000));
    },
  ],
  [
    "a narinfo that never comes",
    "unavailable",
    /no answer for 0\.2 s/,
    (server) => server.inject(NARINFO, silence),
  ],
  [
    "a narinfo that stops",
    "unavailable",
    /nothing came for 0\.2 s/,
    (server) => server.inject(NARINFO, stallAfter(10)),
  ],
  [
    "a NAR that stalls for ever",
    "unavailable",
    /nothing came for 0\.2 s/,
    (server) => server.inject(NAR, stallAfter(1000)),
  ],
  [
    "a truncated NAR",
    "corrupt",
    /Cannot use the NAR of .*hello/,
    (server) => server.inject(NAR, instead(wholeNar.subarray(0, 100_000))),
  ],
  [
    "an empty NAR",
    "corrupt",
    /Cannot use the NAR of .*hello/,
    (server) => server.inject(NAR, instead("")),
  ],
  [
    "another NAR",
    "corrupt",
    /its NarSize is \d+, the narinfo says/,
    (server) => server.inject(NAR, instead(otherNar)),
  ],
  [
    "one byte of the content changed",
    "corrupt",
    /its NarHash is sha256:.*, the narinfo says sha256:/,
    (server) => {
      const damaged = Buffer.from(wholeNar);
      damaged[200_000] = (damaged[200_000] ?? 0) ^ 1;
      server.inject(NAR, instead(damaged));
    },
  ],
  [
    "bytes after the NAR",
    "corrupt",
    /Cannot use the NAR/,
    (server) => server.inject(NAR, instead(Buffer.concat([wholeNar, Buffer.alloc(8)]))),
  ],
  [
    "a FileSize that is too small",
    "corrupt",
    /its FileSize is more, the narinfo says 100$/,
    (_server, cache) => edit(cache, (text) => text.replace("NarHash", "FileSize: 100\nNarHash")),
  ],
  [
    "a FileSize that is too large",
    "corrupt",
    /its FileSize is \d+, the narinfo says 9999999$/,
    (_server, cache) =>
      edit(cache, (text) => text.replace("NarHash", "FileSize: 9999999\nNarHash")),
  ],
  [
    "another FileHash",
    "corrupt",
    /its FileHash is sha256:.*, the narinfo says/,
    (_server, cache) =>
      edit(cache, (text) => text.replace("NarHash", `FileHash: ${hashOf(otherNar)}\nNarHash`)),
  ],
  [
    "a compression nobody knows",
    "corrupt",
    /"lzfoo"/,
    (_server, cache) =>
      edit(cache, (text) => text.replace("Compression: none", "Compression: lzfoo")),
  ],
  [
    "another NarHash than was signed",
    "corrupt",
    /signed by "cache-1"; the signature does not hold/,
    (_server, cache) =>
      edit(cache, (text) => text.replace(/NarHash: .*/, `NarHash: ${hashOf(otherNar)}`)),
  ],
  [
    "another NarSize than was signed",
    "corrupt",
    /the signature does not hold/,
    (_server, cache) => edit(cache, (text) => text.replace(/NarSize: .*/, "NarSize: 99999999999")),
  ],
  [
    "references that were not signed",
    "corrupt",
    /the signature does not hold/,
    (_server, cache) =>
      edit(cache, (text) => text.replace(/References: .*/, `References: ${STORE_PATH.basename}`)),
  ],
  [
    "no signature",
    "corrupt",
    /it has no signature; trusted are "cache-1"/,
    (_server, cache) => edit(cache, (text) => text.replace(/Sig: .*\n/, "")),
  ],
  [
    "a content address that contradicts what was signed",
    "corrupt",
    /content address/,
    (_server, cache) => edit(cache, (text) => `${text}CA: fixed:r:${hashOf(otherNar)}\n`),
  ],
  [
    "HTML instead of a narinfo",
    "corrupt",
    /Cannot use .*\.narinfo of http:.*"<!DOCTYPE html>/,
    (server) => server.inject(NARINFO, instead("<!DOCTYPE html>\n<p>Log in\n", "text/html")),
  ],
  [
    "an empty narinfo",
    "corrupt",
    /ends without StorePath/,
    (server) => server.inject(NARINFO, instead("")),
  ],
  [
    "a narinfo without end",
    "unavailable",
    /larger than 2097152 bytes/,
    (server) => server.inject(NARINFO, instead(Buffer.alloc(3_000_000, "x"))),
  ],
  [
    "the narinfo of another path",
    "corrupt",
    /has the narinfo of .*-other as/,
    (_server, cache) =>
      edit(cache, (text) =>
        text.replace(
          /StorePath: .*/,
          "StorePath: /nix/store/zzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzz-other",
        ),
      ),
  ],
  [
    "another name under the same hash",
    "corrupt",
    /the signature does not hold/,
    (_server, cache) =>
      edit(cache, (text) => text.replace(/StorePath: (.*)-hello/, "StorePath: $1-other")),
  ],
  [
    "a redirect loop",
    "unavailable",
    /more than 10 redirects/,
    (server) => server.inject(NAR, status(302, { location: "/nar/again" })),
  ],
  [
    "a redirect to a file",
    "unavailable",
    /redirects to a file address/,
    (server) => server.inject(NAR, status(302, { location: "file:///etc/passwd" })),
  ],
  [
    "a URL above the cache",
    "corrupt",
    /The URL "\.\.\/\.\.\/x" is outside the cache/,
    (_server, cache) => edit(cache, (text) => text.replace(/URL: .*/, "URL: ../../x")),
  ],
  [
    "an encoded URL above the cache",
    "corrupt",
    /is outside the cache/,
    (_server, cache) => edit(cache, (text) => text.replace(/URL: .*/, "URL: %2e%2e/x")),
  ],
  [
    "a URL on another host",
    "corrupt",
    /is outside the cache/,
    (_server, cache) => edit(cache, (text) => text.replace(/URL: .*/, "URL: http://localhost:1/x")),
  ],
  [
    "a file: URL",
    "corrupt",
    /is outside the cache/,
    (_server, cache) => edit(cache, (text) => text.replace(/URL: .*/, "URL: file:///etc/passwd")),
  ],
  [
    "a bomb",
    "corrupt",
    /What comes out of gzip is larger than \d+ bytes/,
    (server, cache) => {
      edit(cache, (text) => text.replace("Compression: none", "Compression: gzip"));
      // A file that says it is as long as fits, in an archive that goes on for 200 MB.
      server.inject(NAR, instead(gzipSync(Buffer.concat([wholeNar, Buffer.alloc(200_000_000)]))));
    },
  ],
  [
    "a compressed narinfo that is a bomb",
    "unavailable",
    /larger than 2097152 bytes/,
    (server) => {
      const bomb = gzipSync(Buffer.alloc(50_000_000, "x"));
      server.inject(NARINFO, (response) => {
        response.writeHead(200, { "content-encoding": "gzip" }).end(bomb);
      });
    },
  ],
  [
    "an encoding nobody asked for",
    "unavailable",
    /Content-Encoding is "snappy"/,
    (server) =>
      server.inject(
        NARINFO,
        (response) => void response.writeHead(200, { "content-encoding": "snappy" }).end("x"),
      ),
  ],
  [
    "a cache for another store",
    "corrupt",
    /for the store "\/gnu\/store"/,
    (server) => server.inject(/nix-cache-info/, instead("StoreDir: /gnu/store\n")),
  ],
];

describe("A store that substitutes", () => {
  test.each(FAULTS)("names %s, and stores nothing", async (_title, code, message, break_) => {
    const cache = await newCache();
    using server = await serveCache(cache);
    await break_(server, cache);
    // Where nothing is to be waited for, a busy machine may take its time.
    const stallTimeoutMs = message.source.includes("0\\.2 s") ? 200 : 30_000;
    const client = new Client([`${server.url}/cache`], { stallTimeoutMs });
    await expect(client.get()).rejects.toMatchObject({
      code,
      message: expect.stringMatching(message),
    });
    expect(await client.local.get(STORE_PATH.hash)).toBeUndefined();
    client.upstreams.close();
  });

  test.each([404, 410])("takes %s for an absence, and believes it for a while", async (code) => {
    using server = await serveCache();
    server.inject(NARINFO, status(code));
    const client = new Client([server.url]);
    expect(await client.get()).toBeUndefined();
    expect(await client.get()).toBeUndefined();
    expect(server.count(NARINFO)).toBe(1);
  });

  test("does not remember a failure as an absence", async () => {
    using server = await serveCache();
    server.inject(NARINFO, status(403), 1);
    const client = new Client([server.url]);
    await expect(client.get()).rejects.toMatchObject({ code: "unavailable" });
    expect((await client.get())?.storePath).toEqual(STORE_PATH);
  });

  test.each([
    ["a key of another name", [SecretKey.generate("other-1").publicKey]],
    ["a key of the right name but other bytes", [SecretKey.generate("cache-1").publicKey]],
    ["no key at all", []],
  ])("asks for no NAR when there is only %s", async (_title, keys) => {
    using server = await serveCache();
    const client = new Client([server.url], { keys });
    await expect(client.get()).rejects.toMatchObject({
      code: "corrupt",
      message: expect.stringContaining("No trusted key vouches for"),
    });
    expect(server.count(NAR)).toBe(0);
  });

  test("takes what nobody signed with signature checks off, but not with another hash", async () => {
    const cache = await newCache();
    using server = await serveCache(cache);
    edit(cache, (text) => text.replace(/Sig: .*\n/, ""));
    server.inject(NAR, instead(otherNar), 1);
    const client = new Client([server.url], { keys: [], checkSignatures: false });
    await expect(client.get()).rejects.toMatchObject({ code: "corrupt" });
    expect((await client.get())?.storePath).toEqual(STORE_PATH);
  });

  test("tells a host that does not exist from an absence", async () => {
    const client = new Client(["http://no-such-host.invalid"]);
    await expect(client.get()).rejects.toMatchObject({
      code: "unavailable",
      message: expect.stringMatching(/no-such-host\.invalid/),
    });
  });
});

describe("A download", () => {
  test("goes on where it was cut, without fetching anything twice", async () => {
    using server = await serveCache();
    server.inject(NAR, cutAfter(server, 100_000), 3);
    const client = new Client([server.url]);
    expect((await client.get())?.narSize).toBe(BigInt(wholeNar.length));
    expect(server.count(NAR)).toBe(4);
    expect(server.bytesSent).toBeLessThan(wholeNar.length + 2000);
  });

  test("is refused when the file has changed since it was cut", async () => {
    using server = await serveCache();
    server.inject(NAR, cutAfter(server, 100_000), 1);
    server.inject(NAR, (response) => {
      const headers = { "content-range": "bytes 100000-100001/100002", "content-length": 2 };
      response.writeHead(206, headers).end("xx");
    });
    const client = new Client([server.url]);
    await expect(client.get()).rejects.toThrow(
      /it has changed, or cannot be had from byte 100000 on/,
    );
  });

  test("is whole when the connection breaks after its last byte", async () => {
    using server = await serveCache();
    server.inject(NAR, cutAfter(server, 100_000), 1);
    server.inject(
      NAR,
      (response, _request, nar) => {
        const whole = nar as Buffer;
        const range = { "content-range": `bytes 100000-${whole.length - 1}/${whole.length}` };
        response.writeHead(206, range).write(whole.subarray(100_000), () => response.destroy());
      },
      1,
    );
    const client = new Client([server.url]);
    expect((await client.get())?.storePath).toEqual(STORE_PATH);
  });

  test("that is not sent as it was asked for does not speak against its cache", async () => {
    using server = await serveCache();
    server.inject(NAR, (response) => {
      response.writeHead(200, { "content-encoding": "compress" }).end("x");
    });
    const client = new Client([server.url]);
    for (const _ of [1, 2]) await expect(client.get()).rejects.toThrow(/Content-Encoding/);
  });

  test("is tried again after 503, 429 with Retry-After, and a connection that broke", async () => {
    using server = await serveCache();
    server.inject(NARINFO, status(503), 1);
    server.inject(NARINFO, status(429, { "retry-after": "0" }), 1);
    server.inject(NARINFO, (response) => void response.destroy(), 1);
    const client = new Client([server.url]);
    expect((await client.get())?.storePath).toEqual(STORE_PATH);
    expect(server.count(NARINFO)).toBe(4);
  });

  test("reads a narinfo that an object store keeps compressed", async () => {
    using server = await serveCache();
    server.inject(NARINFO, (response, _request, narinfo) => {
      const body = gzipSync(narinfo as Buffer);
      response.writeHead(200, { "content-encoding": "gzip" }).end(body);
    });
    expect((await new Client([server.url]).get())?.storePath).toEqual(STORE_PATH);
  });

  test("that one file cannot be had does not speak against the others", async () => {
    using server = await serveCache();
    server.inject(NAR, status(500), 5);
    const client = new Client([server.url]);
    await expect(client.get()).rejects.toMatchObject({ code: "unavailable" });
    expect((await client.get())?.storePath).toEqual(STORE_PATH);
  });

  test("follows redirects", async () => {
    using server = await serveCache();
    server.inject(NAR, status(307, { location: `${server.url}/elsewhere` }));
    server.inject(/^elsewhere$/, instead(wholeNar));
    expect((await new Client([server.url]).get())?.storePath).toEqual(STORE_PATH);
  });

  test("may be from elsewhere when that is allowed", async () => {
    const cache = await newCache();
    using server = await serveCache(cache);
    using other = await serveCache(cache);
    edit(cache, (text) => text.replace("URL: ", `URL: ${other.url}/`));
    const client = new Client([server.url], { foreignUrls: true });
    expect((await client.get())?.storePath).toEqual(STORE_PATH);
    expect(other.count(NAR)).toBe(1);
  });

  test("is one for many who want the same, and is never made again", async () => {
    using server = await serveCache();
    const client = new Client([server.url]);
    const found = await Promise.all(Array.from({ length: 10 }, () => client.get()));
    expect(new Set(found).size).toBe(1);
    await client.get();
    expect(server.count(NARINFO)).toBe(1);
    expect(server.count(NAR)).toBe(1);
  });

  test("is ended when nobody wants it any more, and leaves no path info", async () => {
    using server = await serveCache();
    const giveUp = new AbortController();
    server.inject(NAR, (response, _request, content) => {
      response.on("close", () => ended());
      response.write((content as Buffer).subarray(0, 1000), () => giveUp.abort());
    });
    let ended = (): void => {};
    const hasEnded = new Promise<void>((resolve) => {
      ended = resolve;
    });
    const client = new Client([server.url], { stallTimeoutMs: 60_000 });
    const given = client.pathInfos.get(STORE_PATH.hash, { signal: giveUp.signal });
    await expect(given).rejects.toMatchObject({ code: "aborted" });
    await hasEnded;
    expect(await client.local.get(STORE_PATH.hash)).toBeUndefined();
  });
});

describe("Several upstreams", () => {
  test("are asked in order of their priority", async () => {
    const cache = await newCache();
    using first = await serveCache(cache);
    using second = await serveCache(cache);
    first.inject(/nix-cache-info/, instead("StoreDir: /nix/store\nPriority: 60\n"));
    second.inject(/nix-cache-info/, instead("StoreDir: /nix/store\nPriority: 10\n"));
    expect((await new Client([first.url, second.url]).get())?.storePath).toEqual(STORE_PATH);
    expect([first.count(NARINFO), second.count(NARINFO)]).toEqual([0, 1]);
  });

  test("stand in for one that fails, which is logged", async () => {
    using broken = await serveCache();
    using good = await serveCache();
    broken.inject(NAR, instead(otherNar));
    const client = new Client([broken.url, good.url]);
    expect((await client.get())?.storePath).toEqual(STORE_PATH);
    expect(client.log.lines.filter(({ level }) => level === "warn")).toMatchObject([
      { message: expect.stringContaining("its NarSize is") },
    ]);
  });

  test("stand in for one that hangs, which is left alone from then on", async () => {
    const cache = await newCache();
    using hanging = await serveCache(cache);
    using good = await serveCache(cache);
    hanging.inject(/./, silence);
    const client = new Client([hanging.url, good.url], { patienceMs: 20, stallTimeoutMs: 200 });
    expect((await client.get())?.storePath).toEqual(STORE_PATH);
    for (let index = 0; index < 5; index++) {
      const hash = Buffer.alloc(20, index);
      await expect(client.pathInfos.get(hash)).rejects.toMatchObject({ code: "unavailable" });
    }
    // Asked about itself once, and not again while it is left alone.
    expect(hanging.requests).toEqual(["nix-cache-info"]);
  });

  test("all lack what none of them has", async () => {
    using one = await serveCache();
    using other = await serveCache();
    const client = new Client([one.url, other.url]);
    expect(await client.pathInfos.get(Buffer.alloc(20))).toBeUndefined();
    expect([one.count(NARINFO), other.count(NARINFO)]).toEqual([1, 1]);
  });
});
