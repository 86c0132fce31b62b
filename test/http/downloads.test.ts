import { brotliDecompressSync, gunzipSync } from "node:zlib";
import { beforeAll, describe, expect, test } from "vitest";
import { parseNarinfo } from "../../src/store/narinfo/parse.js";
import { encodeNixBase32 } from "../../src/store/nixbase32.js";
import type { PathInfo } from "../../src/store/path-info.js";
import { SecretKey } from "../../src/store/signature/secret-key.js";
import { narOf } from "../store/nar/support/nar.js";
import { directory, file, symlink } from "../store/support/tree.js";
import { noise } from "../support/bytes.js";
import { removeBlobFile, removeRecord } from "../support/store-damage.js";
import { hashPart, pathCalled, ServedCache } from "./support/serve-http.js";

const LARGE = noise(300_000, 7);
const TREE = directory({
  bin: directory({ tool: file("#!/bin/sh\n", true) }),
  empty: directory({}),
  large: file(LARGE),
  link: symlink("bin/tool"),
});
const NAR = narOf(TREE);

describe("A binary cache that is read:", () => {
  let cache: ServedCache;
  let pathInfo: PathInfo;
  let narUrl: string;

  beforeAll(async () => {
    cache = await ServedCache.start();
    pathInfo = await cache.add("tree", TREE, {
      references: [pathCalled("other"), pathCalled("tree")],
      signatures: [SecretKey.generate("k").sign(Buffer.from("x"))],
    });
    const { body } = await cache.ask(`/${hashPart(pathInfo)}.narinfo`);
    narUrl = `/${parseNarinfo(body).url}`;
  });

  test("nix-cache-info has the three lines", async () => {
    const { status, headers, text } = await cache.ask("/nix-cache-info");
    expect([status, headers["content-type"]]).toEqual([200, "text/x-nix-cache-info"]);
    expect(text).toBe("StoreDir: /nix/store\nWantMassQuery: 1\nPriority: 40\n");
  });

  test("a narinfo says what the path info does", async () => {
    const { status, headers, body } = await cache.ask(`/${hashPart(pathInfo)}.narinfo`);
    expect([status, headers["content-type"]]).toEqual([200, "text/x-nix-narinfo"]);
    expect(parseNarinfo(body)).toMatchObject({
      storePath: pathInfo.storePath,
      compression: "none",
      narSize: BigInt(NAR.length),
      references: pathInfo.references,
      signatures: pathInfo.signatures,
    });
  });

  test("HEAD tells what GET would, without the body", async () => {
    for (const path of [`/${hashPart(pathInfo)}.narinfo`, narUrl]) {
      const get = await cache.ask(path);
      const head = await cache.ask(path, { method: "HEAD" });
      expect([head.status, head.body.length]).toEqual([200, 0]);
      expect(head.headers["content-length"]).toBe(String(get.body.length));
    }
  });

  test.each([
    `/${"0".repeat(32)}.narinfo`,
    "/short.narinfo",
    `/${"e".repeat(32)}.narinfo`,
    `/${"0".repeat(32)}.ls`,
    `/nar/${"0".repeat(52)}.nar`,
    `/nar/${"0".repeat(52)}.nar.xz`,
    `/nar/${"u".repeat(52)}.nar`,
    "/nar/x",
    "/nar/tvix-castore/?narsize=3",
    "/nar/tvix-castore/!!!!?narsize=3",
    "/nar/tvix-castore/CgA?narsize=3",
    "/log/nothing",
    "/nothing/at/all",
  ])("what is not there is 404: %s", async (path) => {
    for (const method of ["GET", "HEAD"]) {
      expect((await cache.ask(path, { method })).status).toBe(404);
    }
  });

  test("the NAR is served, under either prefix and any number of slashes", async () => {
    const urls = [narUrl, `/${narUrl}`, narUrl.replace("tvix-castore", "snix-castore")];
    for (const url of urls) {
      const { status, headers, body } = await cache.ask(url);
      expect(status).toBe(200);
      expect(body.equals(NAR)).toBe(true);
      expect(headers).toMatchObject({
        "content-type": "application/x-nix-nar",
        "content-length": String(NAR.length),
        "accept-ranges": "bytes",
        "cache-control": "public, max-age=31536000, immutable",
      });
    }
  });

  test("the NAR is served under its hash", async () => {
    const { status, body } = await cache.ask(`/nar/${encodeNixBase32(pathInfo.narSha256)}.nar`);
    expect(status).toBe(200);
    expect(body.equals(NAR)).toBe(true);
  });

  test("a NAR whose size is not said, or said wrongly, is refused", async () => {
    const [path] = narUrl.split("?");
    for (const query of [
      "",
      "?narsize=",
      "?narsize=1",
      "?narsize=-1",
      `?narsize=${"9".repeat(99)}`,
    ]) {
      expect((await cache.ask(`${path}${query}`)).status).toBe(400);
    }
    expect((await cache.ask(`/nar/tvix-castore/${"A".repeat(6000)}?narsize=1`)).status).toBe(400);
  });

  test.each([
    ["bytes=0-0", 0, 1],
    ["bytes=100-100000", 100, 100_001],
    [`bytes=${NAR.length - 7}-`, NAR.length - 7, NAR.length],
    ["bytes=-1000", NAR.length - 1000, NAR.length],
  ])("a part is served as 206: %s", async (range, start, end) => {
    const { status, headers, body } = await cache.ask(narUrl, { headers: { range } });
    expect(status).toBe(206);
    expect(headers["content-range"]).toBe(`bytes ${start}-${end - 1}/${NAR.length}`);
    expect(body.equals(NAR.subarray(start, end))).toBe(true);
  });

  test("what lies past the end is 416, several parts are the whole", async () => {
    const past = await cache.ask(narUrl, { headers: { range: `bytes=${NAR.length}-` } });
    expect([past.status, past.headers["content-range"]]).toEqual([416, `bytes */${NAR.length}`]);
    const several = await cache.ask(narUrl, { headers: { range: "bytes=0-1,5-6" } });
    expect([several.status, several.body.length]).toEqual([200, NAR.length]);
  });

  test("what a client has is 304, by any of the forms of its tag", async () => {
    for (const path of [`/${hashPart(pathInfo)}.narinfo`, narUrl]) {
      const { etag = "" } = (await cache.ask(path)).headers;
      for (const tag of [etag, `W/${etag}`, `"x", ${etag}`, "*"]) {
        const { status, body } = await cache.ask(path, { headers: { "if-none-match": tag } });
        expect([status, body.length]).toEqual([304, 0]);
      }
      expect((await cache.ask(path, { headers: { "if-none-match": '"x"' } })).status).toBe(200);
    }
  });

  test("a part is sent only if the rest is still the same", async () => {
    const { etag = "" } = (await cache.ask(narUrl)).headers;
    const range = "bytes=5-";
    const same = await cache.ask(narUrl, { headers: { range, "if-range": etag } });
    const other = await cache.ask(narUrl, { headers: { range, "if-range": '"other"' } });
    expect([same.status, other.status]).toEqual([206, 200]);
  });

  test("a client that likes compression gets it, under a tag of its own", async () => {
    const plain = await cache.ask(narUrl);
    for (const [encoding, unpack] of [
      ["gzip", gunzipSync],
      ["br", brotliDecompressSync],
    ] as const) {
      const answer = await cache.ask(narUrl, { headers: { "accept-encoding": encoding } });
      expect(answer.headers).toMatchObject({
        "content-encoding": encoding,
        vary: "Accept-Encoding",
      });
      expect(answer.headers["accept-ranges"]).toBeUndefined();
      expect(answer.headers.etag).not.toBe(plain.headers.etag);
      expect(unpack(answer.body).equals(NAR)).toBe(true);
    }
    const headers = { "accept-encoding": "br", range: "bytes=0-9" };
    expect((await cache.ask(narUrl, { headers })).body.equals(NAR.subarray(0, 10))).toBe(true);
  });

  test("what is small is sent as it is", async () => {
    const url = `/${hashPart(pathInfo)}.narinfo`;
    const answer = await cache.ask(url, { headers: { "accept-encoding": "zstd, br, gzip" } });
    expect(answer.headers["content-encoding"]).toBeUndefined();
    expect(answer.text).toBe((await cache.ask(url)).text);
    expect(answer.text.length).toBeGreaterThan(256);
  });

  test("a listing has the entries and where they are in the NAR", async () => {
    const { status, headers, text } = await cache.ask(`/${hashPart(pathInfo)}.ls`);
    expect([status, headers["content-type"]]).toEqual([200, "application/json"]);
    const { version, root } = JSON.parse(text);
    expect([version, Object.keys(root.entries)]).toEqual([1, ["bin", "empty", "large", "link"]]);
    expect(root.entries.empty).toEqual({ type: "directory", entries: {} });
    expect(root.entries.link).toEqual({ type: "symlink", target: "bin/tool" });
    const { narOffset, ...tool } = root.entries.bin.entries.tool;
    expect(tool).toEqual({ type: "regular", size: 10, executable: true });
    expect(NAR.subarray(narOffset, narOffset + 10).toString()).toBe("#!/bin/sh\n");
    const { narOffset: at, size } = root.entries.large;
    expect(NAR.subarray(at, at + size).equals(LARGE)).toBe(true);
  });

  test("methods that nothing takes are refused", async () => {
    for (const method of ["POST", "DELETE", "OPTIONS", "PATCH"]) {
      const { status, headers } = await cache.ask("/nix-cache-info", { method });
      expect([status, headers.allow]).toEqual([405, "GET, HEAD"]);
    }
    expect((await cache.ask("/nix-cache-info", { method: "PUT", body: "x" })).status).toBe(405);
  });

  test("every request is one record", async () => {
    const before = cache.requests.length;
    await cache.ask("/nix-cache-info?secret=1", { headers: { "user-agent": "test" } });
    expect(cache.requests.slice(before)).toEqual([
      expect.objectContaining({
        method: "GET",
        path: "/nix-cache-info",
        status: 200,
        sentBytes: 51,
        peer: "127.0.0.1",
        agent: "test",
      }),
    ]);
  });
});

describe("A binary cache with holes", () => {
  test("answers 503 before the first byte when a large file is gone", async () => {
    const cache = await ServedCache.start();
    const pathInfo = await cache.add("tree", TREE);
    const narinfo = parseNarinfo((await cache.ask(`/${hashPart(pathInfo)}.narinfo`)).body);
    removeBlobFile(cache.folder, LARGE);
    for (const headers of [{}, { range: "bytes=0-9" }] as Record<string, string>[]) {
      const { status, text } = await cache.ask(`/${narinfo.url}`, { headers });
      expect([status, text]).toEqual([503, expect.stringContaining("is not complete here: blob")]);
    }
    expect((await cache.ask(`/${narinfo.url}`, { method: "HEAD" })).status).toBe(503);
    expect(cache.log.lines).toContainEqual(expect.objectContaining({ level: "warn" }));
  });

  test("answers 503 when a directory is gone", async () => {
    const folder = await ServedCache.start();
    const pathInfo = await folder.add("tree", TREE);
    const narinfo = parseNarinfo((await folder.ask(`/${hashPart(pathInfo)}.narinfo`)).body);
    if (pathInfo.node.type !== "directory") throw new Error("The tree is a directory");
    await removeRecord(folder.folder, "directories", pathInfo.node.digest.bytes);
    expect((await folder.ask(`/${narinfo.url}`)).status).toBe(503);
  });
});
