import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { toHex } from "../../../src/base/bytes.js";
import { getBlob } from "../../../src/castore/blob/service.js";
import type { DirectoryNode, FileNode, Node } from "../../../src/castore/node.js";
import { listNar } from "../../../src/store/nar/listing.js";
import {
  type ProvisionalOptions,
  ProvisionalPaths,
} from "../../../src/store/provisional/provisional-paths.js";
import { until } from "../../fuse/support/fake-mount.js";
import { BinaryCache } from "../../support/binary-cache.js";
import { bytes, noise } from "../../support/bytes.js";
import { type CacheServer, status } from "../../support/cache-server.js";
import {
  Client,
  KEY,
  NAR,
  NARINFO,
  narOf,
  STORE_PATH,
  serveCache,
} from "../substitution/support/setting.js";
import { directory, file, memoryServices, storeTree, symlink, type Tree } from "../support/tree.js";

const HASH = toHex(STORE_PATH.hash);
const BIG = noise(500_000, 1);
/** As the cache has it. */
const TREE: Record<string, Tree> = {
  big: file(BIG),
  bin: directory({ hello: file("#!/bin/sh\necho hello\n", true) }),
  link: symlink("bin/hello"),
};

const LISTING = join("/", `${STORE_PATH.basename.slice(0, 32)}.ls`);

async function listingOf(tree: Tree): Promise<string> {
  const services = memoryServices();
  let text = "";
  for await (const piece of listNar(await storeTree(tree, services), services.directories)) {
    text += piece;
  }
  return text;
}

/** A client that shows {@link STORE_PATH}, listed as `tree`, from a server. */
class Lazy {
  readonly client: Client;
  readonly paths: ProvisionalPaths;
  /** What the inode numbers came to mean. */
  readonly rebound: [from: Node, to: Node | undefined][] = [];
  progress = 0;

  constructor(server: CacheServer, options: Partial<ProvisionalOptions> = {}) {
    this.client = new Client([server.url], { stallTimeoutMs: 20_000 });
    this.paths = new ProvisionalPaths({
      substitution: this.client.pathInfos,
      ...this.client.services,
      log: this.client.log,
      rebind: (_name, from, to) => void this.rebound.push([from, to]),
      followMs: 600_000,
      ...options,
    });
  }

  show(): Promise<boolean> {
    return this.paths.show(HASH, {});
  }

  /** The node at `path` below what is shown. */
  node(...path: string[]): FileNode {
    let node = this.paths.shown(HASH)?.node as Node;
    for (const name of path) {
      const { digest } = node as DirectoryNode;
      node = this.paths.directory(digest)?.get(bytes(name)) as Node;
    }
    return node as FileNode;
  }

  async read({ digest }: FileNode): Promise<Buffer | undefined> {
    await this.paths.fetchFile(digest.hex, new AbortController().signal, () => this.progress++);
    const blob = this.paths.file(digest)?.blob;
    const content = blob && (await getBlob(this.client.services.blobs, blob));
    return content && Buffer.from(content);
  }

  get errors(): string[] {
    return this.client.log.lines.filter(({ level }) => level === "error").map((l) => l.message);
  }
}

/** A server that has the NAR of `tree`, and lists it as `listed`. */
async function serving(listed = TREE, tree = TREE): Promise<CacheServer> {
  const cache = new BinaryCache();
  const nar = await narOf(directory(tree));
  expect(await narOf(directory(listed))).toHaveLength(nar.length);
  cache.add({ storePath: STORE_PATH, nar, signWith: KEY });
  writeFileSync(join(cache.folder, LISTING), await listingOf(directory(listed)));
  return await serveCache(cache);
}

describe("ProvisionalPaths", () => {
  test("shows what is listed, fetches a file alone, and keeps the numbers when all is the same", async () => {
    using server = await serving();
    const lazy = new Lazy(server);
    expect(await lazy.show()).toBe(true);
    const hello = lazy.node("bin", "hello");
    expect(hello).toMatchObject({ type: "file", size: 21n, executable: true });
    expect(lazy.paths.shown(HASH)?.isVerified).toBe(false);
    expect(String(await lazy.read(hello))).toBe("#!/bin/sh\necho hello\n");
    expect(server.parts).toHaveLength(1);
    expect(server.bytesSent).toBeLessThan(5000);
    const listed = lazy.node();
    const pathInfo = await lazy.client.get();
    expect(lazy.rebound).toEqual([[listed, pathInfo?.node]]);
    expect(lazy.paths.shown(HASH)).toBeUndefined();
    expect(lazy.errors).toEqual([]);
  });

  test("goes on with a part that broke", async () => {
    using server = await serving();
    const lazy = new Lazy(server);
    await lazy.show();
    const whole = await narOf();
    server.inject(
      NAR,
      (response, request, found) => {
        const [, start, end] = /^bytes=(\d+)-(\d+)$/.exec(request.headers.range ?? "") ?? [];
        const part = (found as Buffer).subarray(Number(start), Number(end) + 1);
        response.writeHead(206, {
          "content-length": part.length,
          "content-range": `bytes ${start}-${end}/${whole.length}`,
        });
        response.write(part.subarray(0, 100_000), () => response.destroy());
      },
      1,
    );
    expect((await lazy.read(lazy.node("big")))?.equals(BIG)).toBe(true);
    expect(server.parts).toHaveLength(2);
    expect(server.count(NAR)).toBe(2);
  });

  test("is one part for many who read one file", async () => {
    using server = await serving();
    const lazy = new Lazy(server);
    expect(await Promise.all([lazy.show(), lazy.show()])).toEqual([true, true]);
    const big = lazy.node("big");
    const contents = await Promise.all([1, 2, 3].map(() => lazy.read(big)));
    expect(contents.every((content) => content?.equals(BIG))).toBe(true);
    expect(server.count(NAR)).toBe(1);
    // Everybody's time begins anew with each piece.
    expect(lazy.progress).toBeGreaterThanOrEqual(3);
  });

  test("waits for the whole NAR where there are no parts", async () => {
    using server = await serving();
    server.ranges = false;
    const lazy = new Lazy(server);
    await lazy.show();
    const listed = lazy.node();
    const contents = await Promise.all([
      lazy.read(lazy.node("bin", "hello")),
      lazy.read(lazy.node("big")),
    ]);
    expect(contents.map((content) => content?.length)).toEqual([21, BIG.length]);
    await until(() => lazy.rebound.length > 0);
    expect(lazy.rebound).toEqual([[listed, (await lazy.client.get())?.node]]);
  });

  test("sees that another length stands before a content, and does not show it", async () => {
    const size = BIG.length;
    using server = await serving({
      ...TREE,
      big: file(BIG.subarray(0, size - 8)),
      bin: directory({ hello: file("#!/bin/sh\necho hello\n12345678", true) }),
    });
    const lazy = new Lazy(server);
    await lazy.show();
    const listed = lazy.node();
    expect(await lazy.read(lazy.node("big"))).toBeUndefined();
    expect(lazy.errors).toEqual([
      expect.stringContaining(`"big": it is listed with ${size - 8} bytes, but has ${size}`),
    ]);
    expect(lazy.rebound).toEqual([[listed, undefined]]);
    expect(await lazy.show()).toBe(false);
    expect(await lazy.client.local.get(STORE_PATH.hash)).toBeDefined();
  });

  test("finds out a content that was sent wrongly, by what it was", async () => {
    using server = await serving();
    const lazy = new Lazy(server);
    await lazy.show();
    server.inject(
      NAR,
      (response, request, found) => {
        const forged = Buffer.from(found as Buffer);
        forged[forged.indexOf("echo hello")] = 0x45;
        server.serve(response, request, forged);
      },
      1,
    );
    expect(String(await lazy.read(lazy.node("bin", "hello")))).toContain("Echo");
    await lazy.client.get();
    expect(lazy.errors).toEqual([
      expect.stringContaining('"bin/hello": its content is not what was sent for it before'),
    ]);
    expect(lazy.rebound).toMatchObject([[{}, undefined]]);
  });

  test("withdraws what no NAR bears out", async () => {
    using server = await serving();
    server.ranges = false;
    const lazy = new Lazy(server);
    await lazy.show();
    const listed = lazy.node();
    const wrong = await narOf();
    wrong[wrong.length - 200] = (wrong.at(-200) ?? 0) ^ 1;
    server.inject(NAR, (response, request) => server.serve(response, request, wrong));
    await lazy.read(lazy.node("big")).catch(() => {});
    await until(() => lazy.errors.length > 0);
    expect(lazy.errors).toEqual([expect.stringContaining("Withdrew /nix/store/")]);
    expect(lazy.rebound).toEqual([[listed, undefined]]);
    expect(await lazy.show()).toBe(false);
    expect(await lazy.client.local.get(STORE_PATH.hash)).toBeUndefined();
  });

  test("keeps showing what cannot be had for the moment, and says so to who reads", async () => {
    using server = await serving();
    const lazy = new Lazy(server);
    await lazy.show();
    server.inject(NAR, status(403), 2);
    const big = lazy.node("big");
    await expect(lazy.read(big)).rejects.toMatchObject({
      message: expect.stringContaining("403 (forbidden)"),
    });
    expect(await lazy.show()).toBe(true);
    expect((await lazy.read(big))?.equals(BIG)).toBe(true);
    expect(lazy.rebound).toEqual([]);
  });

  test("has the rest follow when files were read", async () => {
    using server = await serving();
    const lazy = new Lazy(server, { followMs: 1 });
    await lazy.show();
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(server.count(NAR)).toBe(0);
    await lazy.read(lazy.node("bin", "hello"));
    await until(() => lazy.rebound.length > 0);
    expect(server.count(NAR)).toBe(2);
    expect(await lazy.client.local.get(STORE_PATH.hash)).toBeDefined();
  });

  test("has the rest follow at once when many files were read", async () => {
    const names = Array.from({ length: 40 }, (_, number) => `f${number}`);
    const tree = Object.fromEntries(names.map((name) => [name, file(name)]));
    using server = await serving(tree, tree);
    const lazy = new Lazy(server);
    await lazy.show();
    for (const name of names.slice(0, 20)) await lazy.read(lazy.node(name));
    expect(server.count(NAR)).toBe(20);
    await Promise.all(names.slice(20).map((name) => lazy.read(lazy.node(name))));
    await until(() => lazy.rebound.length > 0);
    expect(server.count(NAR) - server.parts.length).toBe(1);
  });

  test("ends what nobody waits for when it is closed", async () => {
    using server = await serving();
    const lazy = new Lazy(server, { followMs: 1 });
    await lazy.show();
    let wasLeft = false;
    server.inject(NAR, (response, request, found) => {
      if (request.headers.range !== undefined)
        return server.serve(response, request, found as Buffer);
      response.on("close", () => {
        wasLeft = true;
      });
      response.writeHead(200);
      response.write((found as Buffer).subarray(0, 1000), () => lazy.paths.close());
    });
    await lazy.read(lazy.node("bin", "hello"));
    await until(() => wasLeft);
    expect(lazy.client.log.lines.filter(({ level }) => level !== "debug")).toEqual([]);
  });

  test("does not show a path without a listing, or with one it cannot use", async () => {
    using server = await serving();
    const absent = new Lazy(server);
    server.inject(/\.ls$/, status(404), 1);
    expect(await absent.show()).toBe(false);
    expect(absent.client.log.lines).toEqual([]);
    const long = new Lazy(server, { listingBytesMax: 10 });
    expect(await long.show()).toBe(false);
    expect(long.client.log.lines).toMatchObject([
      {
        level: "warn",
        message: expect.stringMatching(/larger than 10 bytes\. It is fetched as a whole$/),
      },
    ]);
    const failing = new Lazy(server);
    server.inject(/\.ls$/, status(403), 1);
    expect(await failing.show()).toBe(false);
    expect(await new Lazy(server).show()).toBe(true);
  });

  test("does not know whether there is a path when no cache can tell", async () => {
    using server = await serving();
    server.inject(NARINFO, status(403));
    await expect(new Lazy(server).show()).rejects.toMatchObject({ code: "unavailable" });
  });

  test("shows nothing that no trusted key vouches for", async () => {
    using server = await serving();
    const client = new Client([server.url], { keys: [], stallTimeoutMs: 20_000 });
    const { services, log, pathInfos: substitution } = client;
    const paths = new ProvisionalPaths({
      ...services,
      substitution,
      log,
      rebind: () => {},
      followMs: 1,
    });
    await expect(paths.show(HASH, {})).rejects.toMatchObject({ code: "corrupt" });
    expect(server.count(/\.ls$/)).toBe(0);
  });
});
