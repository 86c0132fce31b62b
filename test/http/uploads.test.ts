import { once } from "node:events";
import { request } from "node:http";
import { gzipSync } from "node:zlib";
import { beforeAll, describe, expect, test } from "vitest";
import { compress } from "../../src/base/compression/compress.js";
import { decompress } from "../../src/base/compression/decompress.js";
import { contentAddressedPath } from "../../src/store/content-address.js";
import { fingerprint } from "../../src/store/narinfo/fingerprint.js";
import { parseNarinfo } from "../../src/store/narinfo/parse.js";
import { SecretKey } from "../../src/store/signature/secret-key.js";
import { narOf } from "../store/nar/support/nar.js";
import { directory, file } from "../store/support/tree.js";
import { collect, noise } from "../support/bytes.js";
import {
  narFileUrl,
  narinfoOf,
  narinfoUrl,
  pathCalled,
  ServedCache,
  sha256,
} from "./support/serve-http.js";

const NAR = narOf(directory({ a: file("some content"), large: file(noise(200_000, 3)) }));
const KEY = SecretKey.generate("ours");

describe("A binary cache that is written to:", () => {
  let cache: ServedCache;

  beforeAll(async () => {
    cache = await ServedCache.start({ secretKey: KEY });
  });

  test("a NAR and then its narinfo make a store path", async () => {
    const url = narFileUrl(NAR);
    expect((await cache.ask(url, { method: "HEAD" })).status).toBe(404);
    expect((await cache.put(url, NAR)).status).toBe(200);
    expect((await cache.ask(url, { method: "HEAD" })).status).toBe(200);
    expect((await cache.ask(narinfoUrl("first"))).status).toBe(404);
    expect((await cache.put(narinfoUrl("first"), narinfoOf("first", NAR))).status).toBe(200);

    const narinfo = parseNarinfo((await cache.ask(narinfoUrl("first"))).body);
    expect((await cache.ask(`/${narinfo.url}`)).body.equals(NAR)).toBe(true);
    expect((await cache.ask(url)).body.equals(NAR)).toBe(true);
  });

  test("what is uploaded is signed by us, beside the signatures it has", async () => {
    const theirs = SecretKey.generate("theirs").sign(Buffer.from("x"));
    await cache.put(narFileUrl(NAR), NAR);
    await cache.put(narinfoUrl("signed"), narinfoOf("signed", NAR, { signatures: [theirs] }));
    const narinfo = parseNarinfo((await cache.ask(narinfoUrl("signed"))).body);
    expect(narinfo.signatures).toEqual([theirs, KEY.sign(fingerprint(narinfo))]);
  });

  test("a narinfo that adds a signature is merged, in whatever order its references are", async () => {
    const references = [pathCalled("b"), pathCalled("a"), pathCalled("again")];
    await cache.add("again", directory({ a: file("x") }), { references });
    const before = parseNarinfo((await cache.ask(narinfoUrl("again"))).body);
    const theirs = SecretKey.generate("theirs").sign(Buffer.from("x"));
    const nar = narOf(directory({ a: file("x") }));
    const more = { references: [...references].reverse(), signatures: [theirs] };
    expect((await cache.put(narinfoUrl("again"), narinfoOf("again", nar, more))).status).toBe(200);
    const after = parseNarinfo((await cache.ask(narinfoUrl("again"))).body);
    expect(after.signatures).toContainEqual(theirs);
    expect(after.references).toEqual(before.references);
  });

  test("the same again changes nothing", async () => {
    const once = async () => {
      await cache.put(narFileUrl(NAR), NAR);
      await cache.put(narinfoUrl("twice"), narinfoOf("twice", NAR));
      return (await cache.ask(narinfoUrl("twice"))).text;
    };
    expect(await once()).toBe(await once());
  });

  test.each([
    ["gzip", ""],
    ["br", ".br"],
    ["xz", ".xz"],
    ["zstd", ".zst"],
  ] as const)("a NAR compressed with %s is unpacked", async (name, suffix) => {
    const nar = narOf(file(`for ${name}`));
    const packed = await collect(compress(name, single(nar)));
    const url = narFileUrl(packed, suffix);
    expect((await cache.put(url, packed)).status).toBe(200);
    expect((await cache.put(narinfoUrl(name), narinfoOf(name, nar))).status).toBe(200);
    const narinfo = parseNarinfo((await cache.ask(narinfoUrl(name))).body);
    expect((await cache.ask(`/${narinfo.url}`)).body.equals(nar)).toBe(true);

    // A client may remember the narinfo it sent.
    const { status, body } = await cache.ask(url);
    expect(status).toBe(200);
    const unpacked = decompress(name, single(body), { bytesMax: nar.length });
    expect((await collect(unpacked)).equals(nar)).toBe(true);
  });

  test("whether a NAR is here is told while others are being compressed", async () => {
    const cache = await ServedCache.start();
    const nar = narOf(file(noise(30_000_000)));
    const packed = await collect(compress("zstd", single(nar)));
    const url = narFileUrl(packed, ".zst");
    expect((await cache.put(url, packed)).status).toBe(200);
    const slow = request({ port: cache.port, host: "127.0.0.1", path: url, agent: false }).end();
    const [response] = await once(slow, "response");
    response.pause();
    expect((await cache.ask(url)).status).toBe(503);
    expect((await cache.ask(url, { method: "HEAD" })).status).toBe(200);
    slow.destroy();
  });

  test("compressions that are not known are refused", async () => {
    const { status, text } = await cache.put(narFileUrl(NAR, ".lzip"), NAR);
    expect([status, text]).toEqual([415, "NARs compressed as .lzip are not taken\n"]);
  });

  test("what was uploaded is there when the server starts again", async () => {
    const before = await ServedCache.start();
    await before.put(narFileUrl(NAR), NAR);
    await before.server.stop(0);
    const after = await ServedCache.start({}, before.folder);
    expect((await after.put(narinfoUrl("kept"), narinfoOf("kept", NAR))).status).toBe(200);
  });

  test("listings, logs, debug information and realisations are taken and given back", async () => {
    const id = `sha256:${"a".repeat(64)}!out`;
    const files = {
      [`/log/${"0".repeat(32)}-hello.drv`]: "building\nfailed\n",
      "/debuginfo/0123456789abcdef0123456789abcdef01234567.debug": '{"archive":"../nar/x"}',
      [`/realisations/${id}.doi`]: JSON.stringify({ id, outPath: "x" }),
    };
    for (const [path, content] of Object.entries(files)) {
      expect((await cache.ask(path, { method: "HEAD" })).status).toBe(404);
      expect((await cache.put(path, content)).status).toBe(200);
      const { status, text } = await cache.ask(path);
      expect([status, text]).toEqual([200, content]);
    }
    expect((await cache.put(`/log/${"0".repeat(32)}-empty.drv`, "")).status).toBe(200);
    expect((await cache.ask(`/log/${"0".repeat(32)}-empty.drv`)).text).toBe("");
    const listing = JSON.stringify({ version: 1, root: { type: "regular", size: 1 } });
    expect((await cache.put(`/${"0".repeat(32)}.ls`, listing)).status).toBe(200);
  });

  test.each([
    ["a NAR with another hash", () => [narFileUrl(Buffer.from("x")), NAR]],
    ["what is no NAR", () => [narFileUrl(Buffer.from("no NAR")), "no NAR"]],
    ["a NAR that is cut", () => [narFileUrl(NAR.subarray(0, 5000)), NAR.subarray(0, 5000)]],
    [
      "a NAR with something behind it",
      () => [narFileUrl(Buffer.concat([NAR, NAR])), Buffer.concat([NAR, NAR])],
    ],
    [
      "gzip that is cut",
      () => {
        const cut = gzipSync(NAR).subarray(0, 3000);
        return [narFileUrl(cut), cut];
      },
    ],
    ["brotli that is none", () => [narFileUrl(NAR, ".br"), NAR]],
    ["a narinfo that does not parse", () => [narinfoUrl("x"), "StorePath: x\n"]],
    ["a narinfo without its NAR", () => [narinfoUrl("x"), narinfoOf("x", Buffer.from("nowhere"))]],
    ["a narinfo under another hash", () => [narinfoUrl("y"), narinfoOf("x", NAR)]],
    ["a narinfo with another size", () => [narinfoUrl("x"), narinfoOf("x", NAR, { narSize: 5n })]],
    [
      "a narinfo with a content address that is not its own",
      () => {
        const ca = { method: "flat", algorithm: "sha256", digest: sha256(NAR) } as const;
        return [narinfoUrl("x"), narinfoOf("x", NAR, { ca })];
      },
    ],
    [
      "a narinfo whose content does not have its content address",
      () => {
        const ca = { method: "nar", algorithm: "sha512", digest: Buffer.alloc(64, 1) } as const;
        const storePath = contentAddressedPath(ca, "x", []);
        const url = `/${storePath.basename.slice(0, 32)}.narinfo`;
        return [url, narinfoOf("x", NAR, { storePath, ca })];
      },
    ],
    ["a listing that is no JSON", () => [`/${"0".repeat(32)}.ls`, "no"]],
    ["a realisation that is no JSON", () => [`/realisations/sha256:${"a".repeat(64)}!o.doi`, "no"]],
  ] as [string, () => [string, string | Uint8Array]][])("400 for %s", async (_, make) => {
    await cache.put(narFileUrl(NAR), NAR);
    const [path, body] = make();
    const { status, text } = await cache.put(path, body);
    expect([status, text.length > 10]).toEqual([400, true]);
    expect((await cache.ask(narinfoUrl("x"))).status).toBe(404);
  });

  test("a narinfo that contradicts what is there is refused", async () => {
    await cache.put(narFileUrl(NAR), NAR);
    await cache.put(narinfoUrl("fixed"), narinfoOf("fixed", NAR));
    const before = (await cache.ask(narinfoUrl("fixed"))).text;
    const other = narOf(file("other"));
    await cache.put(narFileUrl(other), other);
    for (const narinfo of [
      narinfoOf("fixed", other),
      narinfoOf("fixed", NAR, { references: [pathCalled("new")] }),
    ]) {
      expect((await cache.put(narinfoUrl("fixed"), narinfo)).status).toBe(400);
    }
    expect((await cache.ask(narinfoUrl("fixed"))).text).toBe(before);
  });

  test.each([
    ["/log/no-store-path", 405],
    ["/debuginfo/XYZ", 405],
    ["/realisations/x.doi", 405],
    ["/nar/x.nar", 405],
    ["/browse/x", 405],
    ["/nix/store/x", 405],
    ["/", 405],
  ])("a PUT to %s is %i", async (path, status) => {
    expect((await cache.put(path, "x")).status).toBe(status);
  });

  test("what is too long is refused before it is sent", async () => {
    const { status } = await cache.ask(narinfoUrl("x"), {
      method: "PUT",
      headers: { "content-length": 3 * 1024 * 1024, expect: "100-continue" },
    });
    expect(status).toBe(413);
  });

  test("bodies that are encoded or come in parts are refused", async () => {
    const nar = narFileUrl(NAR);
    expect((await cache.put(nar, gzipSync(NAR), { "content-encoding": "gzip" })).status).toBe(415);
    expect((await cache.put(nar, NAR, { "content-range": "bytes 0-1/9" })).status).toBe(415);
  });
});

describe("A store that cannot take it", () => {
  test("answers 4xx, as Nix repeats itself without a body at 5xx", async () => {
    const { services } = await ServedCache.start();
    const broken = await ServedCache.start({
      services: {
        ...services,
        blobs: {
          ...services.blobs,
          has: async () => false,
          openWrite: async () => {
            throw new Error("a bug");
          },
        },
      },
    });
    const { status, text } = await broken.put(narFileUrl(NAR), NAR);
    expect([status, text]).toEqual([409, "Internal error\n"]);
    expect(broken.log.lines).toContainEqual(
      expect.objectContaining({ fields: expect.objectContaining({ error: "a bug" }) }),
    );
  });
});

async function* single(content: Buffer): AsyncGenerator<Uint8Array> {
  yield content;
}
